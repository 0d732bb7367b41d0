from __future__ import annotations

import pytest

from etl.errors import ConnectionLostError, ContentionError, OverloadedError, TransientError
from etl.postgresql.next_steps import MAIN_JOB, lasting_step, next_step
from etl.staging.database.database import ADVICE

TIMEOUT, BY_USER = "canceling statement due to statement timeout", "canceling statement due to user request"


@pytest.mark.parametrize(
    ("kind", "code", "said", "step"),
    [
        (ContentionError, "57014", TIMEOUT, "it took longer than it may: raise the job's timeouts.statement"),
        (ContentionError, "57014", BY_USER, "somebody cancelled it: try again"),
        (
            ContentionError,
            "55P03",
            "canceling statement due to lock timeout",
            "another session held the rows or the table for too long: end it, or raise the job's timeouts.lock",
        ),
        (
            ContentionError,
            "40P01",
            "deadlock detected",
            "it and another session waited for one another, and this one gave way: try again",
        ),
        (ContentionError, "40001", "could not serialize", "another session changed the same rows meanwhile: try again"),
        (OverloadedError, "53300", "too many clients", "raise max_connections, or lower the job's workers"),
        (OverloadedError, "", "too many clients", "raise max_connections, or lower the job's workers"),
        (
            OverloadedError,
            "53200",
            "out of memory",
            "the server is short of memory or of another resource: try again when it is less busy",
        ),
        (ConnectionLostError, "57P01", "terminating", "check that the server is up and can be reached"),
    ],
)
def test_what_to_do_next_is_of_the_error_and_of_the_tool(
    kind: type[TransientError], code: str, said: str, step: str
) -> None:
    assert next_step(kind, code, said, ADVICE) == step
    assert ("--parallelism" in next_step(kind, code, said, MAIN_JOB)) == ("workers" in step)


def test_what_no_retry_mends() -> None:
    """A row and a key that are too large have one SQLSTATE."""
    assert lasting_step("54000", "row is too big: size 8984, maximum size 8160", ADVICE) == (
        "a row has to fit a page: load fewer columns at once"
    )
    key = 'index row size 3016 exceeds btree version 4 maximum 2704 for index "t_pkey"'
    assert lasting_step("54000", key, ADVICE) == ADVICE.refused == "the server's log has the details"
