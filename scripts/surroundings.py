"""Where the set-up works, and how it speaks. Runs under the system's Python, standard library only."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
IVY = Path(os.environ.get("ETL_IVY_DIR") or ROOT / ".ivy").expanduser().resolve()


class SetupError(Exception):
    """Says what is missing and how to get it."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One set-up at a time; the kernel frees it when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another set-up to finish ...")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(message: str) -> None:
    sys.stderr.write(f"[setup] {message}\n")
    sys.stderr.flush()
