from __future__ import annotations

from etl.staging.records import PreparedBatch, Reject, RejectReason
from etl.staging.tolerance import JUDGED_FROM, Tolerance


def batch(rows: int, invalid: int = 0, rejects: int = 0) -> PreparedBatch:
    rejected = [Reject(n, RejectReason.NOT_JSON, "", b"") for n in range(rejects)]
    return PreparedBatch(0, {}, rows, rows_invalid=invalid, rejects=rejected)


def test_without_a_limit_everything_passes() -> None:
    tolerance = Tolerance()
    assert tolerance.refuse(batch(10, invalid=10)) is None
    assert tolerance.at_end() is None


def test_a_count_is_judged_at_once() -> None:
    tolerance = Tolerance(count=3)
    assert tolerance.refuse(batch(10, invalid=2, rejects=1)) is None
    assert tolerance.refuse(batch(10, rejects=1)) == ("expected at most 3 invalid records, found 4 among the first 20")


def test_a_share_is_judged_when_enough_was_read_and_at_the_end() -> None:
    tolerance = Tolerance(share=0.05)
    assert tolerance.refuse(batch(100, invalid=50)) is None
    assert tolerance.refuse(batch(JUDGED_FROM)) is None
    assert tolerance.at_end() is None
    refusal = tolerance.refuse(batch(100, invalid=100)) or tolerance.refuse(batch(1000, rejects=800))
    assert refusal is not None
    assert "5.00%" in refusal
    small = Tolerance(share=0.05)
    assert small.refuse(batch(100, invalid=6)) is None
    assert small.at_end() == "expected at most 5.00% invalid records, found 6 of 100 (6.00%)"
