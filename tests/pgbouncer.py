"""A real PgBouncer in transaction mode before a server of the tests: the machine's own, or Debian's unpacked."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.project import PROJECT_DIR
from etl.stack.layout import locked

_PACKAGES = ("pgbouncer", "libevent-2.1-7", "libc-ares2")
_UNPACKED = PROJECT_DIR / ".data" / "tools" / "pgbouncer"


@contextmanager
def pgbouncer(server: PostgreSQLSettings, folder: Path, **options: str) -> Iterator[PostgreSQLSettings]:
    """The same database through the pooler. Skips the test where no PgBouncer can be had."""
    binary = _find()
    port = _free_port()
    settings = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": str(folder / "users.txt"),
        "pool_mode": "transaction",
        "default_pool_size": "4",
        # sessions change hands as often as they can
        "server_round_robin": "1",
        "logfile": str(folder / "pgbouncer.log"),
        **({"user": "nobody"} if os.geteuid() == 0 else {}),
        **options,
    }
    lines = "\n".join(f"{name} = {value}" for name, value in settings.items())
    databases = f"[databases]\n* = host={server.host} port={server.port}\n"
    (folder / "pgbouncer.ini").write_text(f"{databases}\n[pgbouncer]\n{lines}\n")
    (folder / "users.txt").write_text(f'"{server.user}" "{server.password.get_secret_value()}"\n')
    _open_to_all(folder)
    process = subprocess.Popen(
        [str(binary), "-q", str(folder / "pgbouncer.ini")],
        env={**os.environ, "LD_LIBRARY_PATH": str(_libraries())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_open(port)
        yield server.model_copy(update={"host": "127.0.0.1", "port": port})
    finally:
        process.terminate()
        process.wait(timeout=30)


def _find() -> Path:
    installed = shutil.which("pgbouncer") or shutil.which("/usr/sbin/pgbouncer")
    if installed:
        return Path(installed)
    unpacked = _UNPACKED / "usr" / "sbin" / "pgbouncer"
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    with locked(_UNPACKED / "lock", on_wait=lambda: None):
        if not unpacked.is_file():
            _unpack()
    if not unpacked.is_file():
        pytest.skip("no PgBouncer here, and no Debian package to be had")
    return unpacked


def _unpack() -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return
    packages = _UNPACKED / "packages"
    packages.mkdir(parents=True, exist_ok=True)
    subprocess.run(["apt-get", "download", *_PACKAGES], cwd=packages, capture_output=True, timeout=120, check=False)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, _UNPACKED], capture_output=True, timeout=60, check=True)


def _libraries() -> Path:
    return next((path.parent for path in _UNPACKED.rglob("libevent-2.1.so*")), _UNPACKED)


def _open_to_all(folder: Path) -> None:
    """Started by root it becomes somebody else, who must read and write here."""
    if os.geteuid() != 0:
        return
    folder.chmod(0o777)
    for file in folder.iterdir():
        file.chmod(0o644)
    for parent in folder.parents:
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_until_open(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, "PgBouncer does not listen"
            time.sleep(0.05)
