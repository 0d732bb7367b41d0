"""Looks again and again at what goes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from etl.errors import TransientError

Found = TypeVar("Found")


def looks(look: Callable[[], Found], interval: float) -> Iterator[Found]:
    """What each look finds, for as long as somebody asks. A server that is away for a moment is asked again."""
    while True:
        try:
            found = look()
        except TransientError:
            time.sleep(interval)
            continue
        yield found
        time.sleep(interval)
