"""Why an attempt at a batch failed, as it is kept: code, message, where it happened, whether time may mend it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from etl.errors import EtlError, FencedError, InputAwayError, InterruptionError, TransientError
from etl.postgresql.door import sqlstate
from etl.redaction import redact

STACK_CHARACTERS = 8000
MESSAGE_CHARACTERS = 4000

_PASSING = (TransientError, FencedError, InputAwayError, InterruptionError)
"""What says nothing of the batch itself."""


@dataclass(frozen=True)
class Failure:
    """`is_permanent`: trying again alone will not help. `stack`: without values of rows, without secrets."""

    code: str
    message: str
    is_permanent: bool = False
    stack: str | None = None


def failure_of(error: Exception) -> Failure:
    """Its code is the SQLSTATE where the database gave one, else the name of its class."""
    if isinstance(error, EtlError):
        code, message = sqlstate(error) or type(error).__name__, error.message
    else:
        code = type(error).__name__
        message = f"expected to store the batch, found {code}: {error}"
    is_permanent = not isinstance(error, _PASSING)
    return Failure(code, _storable(message, MESSAGE_CHARACTERS), is_permanent, stack_of(error))


def stack_of(error: BaseException) -> str:
    """From the first cause to the error itself, each with its frames; of one too long the beginning is dropped."""
    text = "\n\nof which came\n\n".join(_told(each) for each in _causes(error))
    return _storable(text if len(text) <= STACK_CHARACTERS else "…" + text[1 - STACK_CHARACTERS :], STACK_CHARACTERS)


def _storable(text: str, longest: int) -> str:
    """PostgreSQL holds no NUL."""
    return cut(redact(text).replace("\0", "\\x00"), longest)


def cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        yield from _causes(cause)
    yield error


def _told(error: BaseException) -> str:
    frames = [
        f"  {_place(frame.filename)}:{frame.lineno} in {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return "\n".join([*frames, f"{type(error).__module__}.{type(error).__qualname__}: {_said(error)}"])


def _place(filename: str) -> str:
    """As a package names it, wherever it is installed."""
    parts = Path(filename).parts
    for root in ("site-packages", "etl"):
        if root in parts:
            last = len(parts) - 1 - parts[::-1].index(root)
            return "/".join(parts[last + (root == "site-packages") :])
    return Path(filename).name


def _said(error: BaseException) -> str:
    """Of PostgreSQL's errors the primary message alone: DETAIL and CONTEXT may quote a row."""
    if isinstance(error, psycopg2.Error) and error.diag.message_primary:
        return f"{error.diag.message_primary} (SQLSTATE {error.pgcode})"
    return str(error)
