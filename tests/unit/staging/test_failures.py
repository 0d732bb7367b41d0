from __future__ import annotations

import pytest

from etl.errors import ConnectionLostError, FencedError, InputAwayError, SourceError, StoreError
from etl.project import PROJECT_DIR
from etl.staging.ledger.failures import STACK_CHARACTERS, failure_of


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        if cause is None:
            raise error
        try:
            raise cause
        except type(cause) as before:
            raise error from before
    except type(error) as caught:
        return caught


@pytest.mark.parametrize(
    ("error", "is_permanent"),
    [
        (ConnectionLostError("gone"), False),
        (FencedError("given up"), False),
        (StoreError("no"), True),
        (SourceError("the file has changed"), True),
        (InputAwayError("kept on another machine"), False),
        (KeyError("a mistake of ours"), True),
    ],
)
def test_what_time_may_mend(error: Exception, is_permanent: bool) -> None:
    assert failure_of(raised(error)).is_permanent is is_permanent


def test_a_stack_begins_with_the_first_cause_and_holds_no_secret() -> None:
    stack = failure_of(raised(StoreError("refused"), ValueError("postgresql://me:hunter2@db/x\0"))).stack
    assert stack is not None
    first, second = stack.split("\n\nof which came\n\n")
    assert first.endswith("builtins.ValueError: postgresql://me:***@db/x\\x00")
    assert second.endswith("etl.errors.StoreError: refused")
    assert " in raised" in second
    assert str(PROJECT_DIR) not in stack


def test_a_stack_is_bounded() -> None:
    stack = failure_of(raised(StoreError("x" * 50_000))).stack
    assert stack is not None
    assert len(stack) == STACK_CHARACTERS
