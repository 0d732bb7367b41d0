"""A server that stands still: it keeps its connections and says nothing (SIGSTOP), as one whose disk hangs does."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl.stack.embedded import Stack
from etl.stack.layout import Layout


@contextmanager
def stopped_server(data_dir: Path, name: str) -> Iterator[None]:
    """One of the session's own servers; it goes on when the block ends."""
    [server] = [each for each in Stack(Layout(data_dir), say=print).status() if each.name == name]
    assert server.process_ids
    with stopped(*server.process_ids):
        yield


@contextmanager
def stopped(*process_ids: int) -> Iterator[None]:
    try:
        for process_id in process_ids:
            os.kill(process_id, signal.SIGSTOP)
        yield
    finally:
        for process_id in process_ids:
            os.kill(process_id, signal.SIGCONT)
