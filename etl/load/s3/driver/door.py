"""The door to the `deltalake` package: what it raises becomes one of our errors here and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from deltalake.exceptions import CommitFailedError, DeltaError

from etl.errors import ConnectionLostError, ContentionError, EtlError, OverloadedError, StoreError
from etl.model import Destination

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_BLANKS = re.compile(r"\s+")
_OVERLOADED = re.compile(r"SlowDown|\b(503|429)\b|TooManyRequests|Throttl")
_LOST = re.compile(r"\b(500|502|504)\b|client error|error sending request|timed out|connection|RequestTimeout", re.I)
_CONFLICT = re.compile(
    r"already exists|Failed to commit transaction|version \d+ already|conditional|\b(409|412)\b", re.I
)


@contextmanager
def delta_door(doing: str, table: str) -> Iterator[None]:
    """Around every call of the package; its own requests are tried again by it."""
    try:
        yield
    except (DeltaError, OSError) as error:
        raise _of(error, doing, table) from error


def _of(error: Exception, doing: str, table: str) -> EtlError:
    said = in_one_line(error)
    message = f"expected the Delta log to {doing}, found: {said}"
    if isinstance(error, CommitFailedError) or (isinstance(error, DeltaError) and _CONFLICT.search(said)):
        hint = "; somebody else has committed since this load looked, and it starts again"
        return ContentionError(message + hint, table=table, destination=Destination.S3)
    if _OVERLOADED.search(said):
        return OverloadedError(message, table=table, destination=Destination.S3)
    if _LOST.search(said):
        return ConnectionLostError(message, table=table, destination=Destination.S3)
    return StoreError(message, statement=doing, table=table, destination=Destination.S3)


def in_one_line(error: Exception) -> str:
    return _BLANKS.sub(" ", _COLOURS.sub("", str(error)).replace("↳", ":")).strip()[:500]
