"""A PgBouncer in transaction mode before a server of the tests."""

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


@contextmanager
def pgbouncer(settings: PostgreSQLSettings, directory: Path) -> Iterator[PostgreSQLSettings]:
    """The same database through the pooler, which keeps two connections to the server."""
    program = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    port = _free_port()
    (directory / "users.txt").write_text(f'"{settings.user}" "{settings.password.get_secret_value()}"\n')
    (directory / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={settings.host} port={settings.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = plain\n"
        f"auth_file = {directory}/users.txt\npool_mode = transaction\ndefault_pool_size = 2\n"
        f"logfile = {directory}/log\n"
    )
    process = subprocess.Popen([program, *_as_nobody(directory), "-q", str(directory / "pgbouncer.ini")])
    try:
        _wait_for(port)
        yield settings.model_copy(update={"host": "127.0.0.1", "port": port})
    finally:
        process.terminate()
        process.wait()


def _as_nobody(directory: Path) -> list[str]:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return []
    for path in (directory, *directory.iterdir()):
        shutil.chown(path, "nobody")
    for parent in list(directory.parents)[:3]:
        parent.chmod(parent.stat().st_mode | 0o011)
    return ["-u", "nobody"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("pgbouncer did not start")
