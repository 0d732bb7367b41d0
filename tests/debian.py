"""Programs that tests need beside our own: the machine's, or those of Debian's packages, unpacked here."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from etl.project import PROJECT_DIR
from etl.stack.layout import locked

PATIENCE_SECONDS = 20


def program(name: str, *packages: str) -> Path:
    """Skips the test where it is neither installed nor to be had. `packages`: its own first; without them `name`."""
    installed = shutil.which(name) or shutil.which(f"/usr/sbin/{name}")
    if installed:
        return Path(installed)
    folder = unpacked(name)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", on_wait=lambda: None):
        found = _found(folder, name)
        if found is None:
            _unpack(folder, packages or (name,))
            found = _found(folder, name)
    if found is None:
        pytest.skip(f"no {name} here, and no Debian package to be had")
    return found


def unpacked(name: str) -> Path:
    """Where the packages of this program are, if it had to be unpacked: their libraries too."""
    return PROJECT_DIR / ".data" / "tools" / name


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_until_open(port: int, name: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + patience_seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"{name} does not listen"
            time.sleep(0.05)


def _found(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / "usr").glob(f"*bin/{name}") if path.is_file()), None)


def _unpack(folder: Path, packages: tuple[str, ...]) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        return
    kept = folder / "packages"
    kept.mkdir(exist_ok=True)
    subprocess.run(["apt-get", "download", *packages], cwd=kept, capture_output=True, timeout=120, check=False)
    for package in kept.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder], capture_output=True, timeout=60, check=True)
