"""A real nginx before a server of the tests: the machine's own, or Debian's unpacked."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from etl.project import PROJECT_DIR
from etl.stack.layout import locked

_UNPACKED = PROJECT_DIR / ".data" / "tools" / "nginx"

_CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
{location}
    }}
}}
"""


@contextmanager
def nginx(location: str, folder: Path) -> Iterator[str]:
    """Its address. `location`: the blocks of its server. Skips the test where no nginx can be had."""
    binary, port = _find(), _free_port()
    (folder / "nginx.conf").write_text(_CONFIGURATION.format(folder=folder, port=port, location=location))
    with subprocess.Popen([str(binary), "-p", str(folder), "-c", "nginx.conf"], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_until_open(port)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def _find() -> Path:
    installed = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if installed:
        return Path(installed)
    unpacked = _UNPACKED / "usr" / "sbin" / "nginx"
    _UNPACKED.mkdir(parents=True, exist_ok=True)
    with locked(_UNPACKED / "lock", on_wait=lambda: None):
        if not unpacked.is_file():
            _unpack()
    if not unpacked.is_file():
        pytest.skip("no nginx here, and no Debian package to be had")
    return unpacked


def _unpack() -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return
    subprocess.run(["apt-get", "download", "nginx"], cwd=_UNPACKED, capture_output=True, timeout=120, check=False)
    for package in _UNPACKED.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, _UNPACKED], capture_output=True, timeout=60, check=True)


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
            assert time.monotonic() < end, "nginx does not listen"
            time.sleep(0.05)
