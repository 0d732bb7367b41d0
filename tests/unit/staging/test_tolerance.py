from __future__ import annotations

from dataclasses import replace

from etl.staging.batch.records import PreparedBatch, Reject, RejectReason
from etl.staging.tolerance import JUDGED_FROM, Tolerance, Tolerances
from tests.unit.staging.runs import RUN


def batch(rows: int, invalid: int = 0, rejects: int = 0) -> PreparedBatch:
    rejected = [Reject(n, RejectReason.NOT_JSON, "", b"") for n in range(rejects)]
    return PreparedBatch(0, {}, rows, rows_invalid=invalid, rejects=rejected)


def test_without_a_limit_everything_passes() -> None:
    tolerance = Tolerance()
    assert tolerance.refuse(batch(10, invalid=10)) is None
    assert tolerance.at_end() is None


def test_a_count_is_judged_at_once() -> None:
    tolerance = Tolerance("3")
    assert tolerance.refuse(batch(10, invalid=2, rejects=1)) is None
    assert tolerance.refuse(batch(10, rejects=1)) == (
        "expected at most 3 of the 20 records read to be invalid or rejected (maximum_invalid), found 4"
    )


def test_a_share_is_judged_when_enough_was_read_and_at_the_end() -> None:
    tolerance = Tolerance("5%")
    assert tolerance.refuse(batch(100, invalid=50)) is None
    assert tolerance.refuse(batch(JUDGED_FROM)) is None
    assert tolerance.at_end() is None
    refusal = tolerance.refuse(batch(100, invalid=100)) or tolerance.refuse(batch(1000, rejects=800))
    assert refusal is not None
    assert "at most 5% of the 11,200" in refusal
    small = Tolerance("5%")
    assert small.refuse(batch(100, invalid=6)) is None
    assert small.at_end() == (
        "expected at most 5% of the 100 records read to be invalid or rejected (maximum_invalid), found 6"
    )


def test_of_rejected_records_only_those_count() -> None:
    tolerance = Tolerance("3", only_rejected=True)
    assert tolerance.refuse(batch(10, invalid=10, rejects=3)) is None
    assert tolerance.refuse(batch(2, rejects=1)) == (
        "expected at most 3 of the 12 records read to be rejected (maximum_rejected), found 4; the last of them: "
    )


def test_a_run_is_judged_by_its_totals() -> None:
    """A retry reads only a part of it, and the server may reject what was read as good."""
    limits = Tolerances((Tolerance("10%"), Tolerance("5", only_rejected=True)))
    assert limits.refuse(batch(100, invalid=9)) is None
    run = replace(RUN, rows_attempted=100, rows_rejected=6, rows_invalid=3)
    assert limits.at_end(run) == "expected at most 5 of the 100 records read to be rejected (maximum_rejected), found 6"
    assert limits.at_end(replace(run, rows_rejected=5)) is None
    assert limits.at_end(replace(run, rows_invalid=5)) is not None
    refusal = limits.refuse(batch(20, rejects=6))
    assert refusal is not None
    assert "at most 5 of the 120 records read to be rejected" in refusal
