from __future__ import annotations

import errno
import signal

import pytest

from etl.errors import ContentionError, FencedError, StoreError, UsageError
from etl.orchestrator.values import ErrorType, Failure
from etl.orchestrator.work import classify


@pytest.mark.parametrize(
    ("code", "is_transient"),
    [(1, None), (2, False), (3, None), (126, False), (127, False), (130, True), (137, True), (143, True)],
)
def test_exit_codes(code: int, is_transient: bool | None) -> None:
    failure = classify.of_exit(code)
    assert (failure.error_type, failure.error_class, failure.exit_code) == (ErrorType.EXIT_CODE, f"exit {code}", code)
    assert failure.is_transient is is_transient


@pytest.mark.parametrize(
    ("number", "name", "is_transient"),
    [
        (signal.SIGKILL, "SIGKILL", True),
        (signal.SIGTERM, "SIGTERM", True),
        (signal.SIGSEGV, "SIGSEGV", None),
        (signal.SIGABRT, "SIGABRT", None),
        (signal.SIGRTMIN + 1, f"signal {signal.SIGRTMIN + 1}", None),
    ],
)
def test_signals(number: int, name: str, is_transient: bool | None) -> None:
    failure = classify.of_signal(number)
    assert (failure.error_type, failure.error_class, failure.is_transient) == (ErrorType.SIGNAL, name, is_transient)
    assert failure.exit_code == 128 + number


@pytest.mark.parametrize(
    ("number", "name", "is_transient"),
    [(errno.ENOENT, "ENOENT", False), (errno.EACCES, "EACCES", False), (errno.ENOMEM, "ENOMEM", True)],
)
def test_what_cannot_be_started(number: int, name: str, is_transient: bool) -> None:
    failure = classify.of_start(number, "spark-submit")
    assert (failure.error_type, failure.error_class, failure.is_transient) == (ErrorType.START, name, is_transient)
    assert failure.message.startswith("'spark-submit' cannot be started: ")


@pytest.mark.parametrize(
    ("error", "is_transient"),
    [
        (ContentionError("x"), True),
        (StoreError("x"), False),
        (FencedError("x"), False),
        (UsageError("x"), False),
        (ConnectionResetError("x"), True),
        (TimeoutError("x"), True),
        (OSError(errno.ENOSPC, "full"), True),
        (FileNotFoundError("x"), False),
        (PermissionError("x"), False),
        (TypeError("x"), False),
        (ImportError("x"), False),
        (ValueError("x"), None),
        (KeyError("x"), None),
        (RuntimeError(), None),
    ],
)
def test_exceptions(error: Exception, is_transient: bool | None) -> None:
    failure = classify.of_exception(error)
    assert (failure.error_type, failure.error_class) == (ErrorType.EXCEPTION, type(error).__name__)
    assert failure.is_transient is is_transient
    assert failure.message


def test_a_report_is_read_as_it_was_written() -> None:
    failure = Failure(ErrorType.SQLSTATE, "40001", "could not serialize", True)
    assert classify.of_report(classify.as_report(failure), 1) == Failure(
        ErrorType.SQLSTATE, "40001", "could not serialize", True, 1
    )
