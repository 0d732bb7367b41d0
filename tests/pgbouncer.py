"""A real PgBouncer in transaction mode before a server of the tests: the machine's own, or Debian's unpacked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl.config.settings import PostgreSQLSettings
from tests.debian import free_port, program, unpacked, wait_until_open

_PACKAGES = ("pgbouncer", "libevent-2.1-7", "libc-ares2")


@contextmanager
def pgbouncer(server: PostgreSQLSettings, folder: Path, **options: str) -> Iterator[PostgreSQLSettings]:
    """The same database through the pooler. Skips the test where no PgBouncer can be had."""
    binary, port = program("pgbouncer", *_PACKAGES), free_port()
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
        wait_until_open(port, "PgBouncer")
        yield server.model_copy(update={"host": "127.0.0.1", "port": port})
    finally:
        process.terminate()
        process.wait(timeout=30)


def _libraries() -> Path:
    folder = unpacked("pgbouncer")
    return next((path.parent for path in folder.rglob("libevent-2.1.so*")), folder)


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
