"""Folders of the servers that tests start for themselves, named after the process that is to remove them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import psutil

from etl.project import PROJECT_DIR
from etl.stack.embedded import Stack
from etl.stack.layout import Layout

_FOLDER = PROJECT_DIR / ".data"
_PREFIX = "test-stack-"


def own_data_dir(purpose: str = "shared") -> Path:
    """Of this process alone, for ETL_DATA_DIR. Its number stands last: .ci/run reads it there."""
    return _FOLDER / f"{_PREFIX}{purpose}-{os.getpid()}"


def remove_stack(data_dir: Path) -> None:
    Stack(Layout(data_dir), say=print).reset()
    shutil.rmtree(data_dir, ignore_errors=True)  # another session may be clearing the same


def remove_stacks_of_dead_processes() -> None:
    """What tests that were cut short left behind."""
    for data_dir in _FOLDER.glob(f"{_PREFIX}*"):
        process_id = data_dir.name.rpartition("-")[2]
        if process_id.isdecimal() and not psutil.pid_exists(int(process_id)):
            remove_stack(data_dir)
