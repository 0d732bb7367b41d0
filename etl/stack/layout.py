"""Where everything of one embedded stack lies on disk, and the lock that lets one shell at a time change it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etl.errors import UsageError
from etl.names import is_readable, readable
from etl.project import PROJECT_DIR

DATA_DIR_VARIABLE = "ETL_DATA_DIR"
LOCK_NAME = "lock"


@dataclass(frozen=True)
class Layout:
    """The data folder of one stack. Its absolute path also identifies the stack's processes."""

    data_dir: Path

    @property
    def lock_file(self) -> Path:
        return self.data_dir / LOCK_NAME

    @property
    def credentials_file(self) -> Path:
        return self.data_dir / "credentials.json"

    @property
    def ports_file(self) -> Path:
        return self.data_dir / "ports.json"

    @property
    def dsn_file(self) -> Path:
        """For `uploader load --dsn-file`: the URL of the embedded PostgreSQL's warehouse."""
        return self.data_dir / "postgresql.dsn"

    @property
    def logs_dir(self) -> Path:
        return self.data_dir / "logs"

    def server_dir(self, server: str) -> Path:
        return self.data_dir / server

    def create(self) -> None:
        """Folders only their owner can read; under root others may pass through (but not look), as PostgreSQL must."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self.data_dir.chmod(0o711 if os.geteuid() == 0 else 0o700)
        private_dir(self.logs_dir)

    def delete_content(self) -> None:
        """Everything but the lock, which another shell may be waiting for."""
        for path in self.data_dir.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK_NAME:
                path.unlink()


def default_layout() -> Layout:
    """`$ETL_DATA_DIR`, else `.data/stack` beside the package, whatever the working directory."""
    configured = os.environ.get(DATA_DIR_VARIABLE)
    if configured and not is_readable(configured):
        raise UsageError(f"{DATA_DIR_VARIABLE}: expected a folder whose name is UTF-8, found {readable(configured)}")
    return Layout(Path(configured).expanduser().resolve() if configured else PROJECT_DIR / ".data" / "stack")


def private_dir(path: Path) -> Path:
    path.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, text: str) -> None:
    """Mode 0600 from its first byte on, and whole or not there at all, even if we are killed half-way."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


@contextmanager
def locked(lock_file: Path, on_wait: Callable[[], None]) -> Iterator[None]:
    """Held by the kernel for this process alone, so a killed holder never leaves it locked."""
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_wait()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
