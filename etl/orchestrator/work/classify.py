"""How an attempt failed, and whether to try again: transient and unknown failures are tried again, permanent never.

- Exit codes: 2 is bad use or configuration, in every tool of the house: permanent. 130 and 143 (ended by Ctrl-C or
  SIGTERM) and 128 + 9 are transient. 126 and 127 (a shell found nothing to run) are permanent. Others: nobody knows.
- Signals: SIGTERM, SIGKILL (also the kernel's, where memory is short), SIGINT, SIGHUP and SIGPIPE come from outside:
  transient. A crash (SIGSEGV, SIGABRT, …) is unknown.
- What cannot be started is permanent, but where the machine had no room for it.
- SQLSTATE and ClickHouse's codes: as their doors say.
- Exceptions of Python: our own errors by their trunk; OSError and its kin transient, but for files that are missing or
  may not be read; wrong types, names, imports and syntax are permanent; others, ValueError too, unknown.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Mapping
from typing import Any

from etl.command.exits import Exit
from etl.errors import EtlError, TransientError
from etl.orchestrator.values import ErrorType, Failure

_SIGNALS_FROM_OUTSIDE = frozenset(
    {signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGQUIT}
)
_NAMES = {int(each): each.name for each in signal.Signals}
_PERMANENT_EXITS = frozenset({Exit.USAGE, 126, 127})
_TRANSIENT_EXITS = frozenset({Exit.INTERRUPTED, Exit.TERMINATED, 128 + signal.SIGKILL})
_NO_ROOM = frozenset({errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY})
_PERMANENT_OS_ERRORS = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError, FileExistsError)
_MISTAKES = (TypeError, AttributeError, NameError, ImportError, SyntaxError, AssertionError, NotImplementedError)


def of_exit(code: int) -> Failure:
    is_transient = True if code in _TRANSIENT_EXITS else False if code in _PERMANENT_EXITS else None
    return Failure(ErrorType.EXIT_CODE, f"exit {code}", _exit_in_words(code), is_transient, code)


def of_signal(number: int) -> Failure:
    name = _NAMES.get(number, f"signal {number}")
    is_transient = True if number in _SIGNALS_FROM_OUTSIDE else None
    message = f"the job was ended by {name}, which the worker had not sent"
    if number == signal.SIGKILL:
        message += "; where nobody has, the kernel may have been out of memory (see its log)"
    return Failure(ErrorType.SIGNAL, name, message, is_transient, 128 + number)


def of_start(error_number: int, word: str) -> Failure:
    name = errno.errorcode.get(error_number, str(error_number))
    message = f"{word!r} cannot be started: {os.strerror(error_number)}"
    return Failure(ErrorType.START, name, message, error_number in _NO_ROOM)


def of_timeout(seconds: float) -> Failure:
    message = f"it took longer than {seconds:g} seconds, and was ended; a longer `timeout` lets it go on"
    return Failure(ErrorType.TIMEOUT, "timeout", message, True)


def of_lost_lease() -> Failure:
    message = "the worker had no word from PostgreSQL while its lease lasted, and ended the job"
    return Failure(ErrorType.LOST, "lease", message, True)


def of_lost_guardian() -> Failure:
    message = "the process that watches the job ended before the job, which was ended"
    return Failure(ErrorType.LOST, "guardian", message, True)


def of_exception(error: BaseException) -> Failure:
    """What a child of ours raised."""
    cause = error.__cause__
    if code := getattr(cause, "pgcode", None) or getattr(error, "pgcode", None):
        return Failure(ErrorType.SQLSTATE, code, str(error), isinstance(error, TransientError))
    return Failure(ErrorType.EXCEPTION, type(error).__name__, str(error) or repr(error), _is_transient(error))


def _is_transient(error: BaseException) -> bool | None:
    if isinstance(error, EtlError):
        return isinstance(error, TransientError)
    if isinstance(error, _PERMANENT_OS_ERRORS + _MISTAKES):
        return False
    return True if isinstance(error, OSError) else None


def as_report(failure: Failure) -> dict[str, Any]:
    """A line of JSON from a child of ours; `of_report` reads it."""
    return {
        "error_type": failure.error_type,
        "error_class": failure.error_class,
        "message": failure.message,
        "is_transient": failure.is_transient,
    }


def of_report(report: Mapping[str, Any], code: int) -> Failure:
    return Failure(
        ErrorType(report["error_type"]), report["error_class"], report["message"], report["is_transient"], code
    )


def _exit_in_words(code: int) -> str:
    if code == Exit.USAGE:
        return "the job ended with exit code 2: bad use or configuration; its output says what is wrong"
    return f"the job ended with exit code {code}; its output says why"
