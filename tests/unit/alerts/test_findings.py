from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from etl.alerts.findings import (
    FEWEST_ROWS,
    LoadOutcome,
    NextSteps,
    Place,
    Standing,
    Verdict,
    judge_load,
    judge_standing,
)
from etl.config.alerts import AlertKind, LoadLimits

ORDERS = Place("orders", "s3")
STEPS = NextSteps("mend it", "list rejects", "compare runs")
NOW = datetime(2026, 11, 27, 8, tzinfo=UTC)


def judged(outcome: LoadOutcome, **limits: str) -> Verdict:
    verdict = Verdict()
    judge_load(verdict, outcome, LoadLimits(**limits), STEPS)
    return verdict


@pytest.mark.parametrize(
    ("error_class", "kind", "step"),
    [
        ("StoreError", AlertKind.FAILURE, "mend it"),
        (None, AlertKind.FAILURE, "mend it"),
        ("RejectedRowsError", AlertKind.REJECTS, "list rejects"),
        ("ReconciliationError", AlertKind.ROWS_MISMATCH, "mend it"),
        ("ValidationError", AlertKind.ROWS_MISMATCH, "mend it"),
    ],
)
def test_a_load_that_failed_is_of_one_kind(error_class: str | None, kind: AlertKind, step: str) -> None:
    verdict = judged(LoadOutcome(ORDERS, 10, 9, 1.0, error_class, "no such table"), rejects_above="5%")
    (finding,) = verdict.found
    assert (finding.kind, finding.place, finding.next_step) == (kind, ORDERS, step)
    assert finding.found.endswith("no such table")
    assert not verdict.fine  # nothing is known of the others


@pytest.mark.parametrize(("rejected", "is_told"), [(5, False), (6, True)])
def test_many_rejects_are_told_of_beyond_the_share(rejected: int, is_told: bool) -> None:
    verdict = judged(LoadOutcome(ORDERS, 100, rejected, 1.0), rejects_above="5%")
    assert [finding.kind for finding in verdict.found] == [AlertKind.REJECTS] * is_told
    assert ((AlertKind.REJECTS, ORDERS) in verdict.fine) is not is_told
    if is_told:
        assert verdict.found[0].expected == "at most 5% of the 100 rows read to be rejected (alerts: rejects_above)"
        assert verdict.found[0].found == "6; the others are loaded"


def test_of_a_load_that_read_nothing_nothing_is_said_of_rejects() -> None:
    assert judged(LoadOutcome(ORDERS, 0, 0, 1.0), rejects_above="5%").fine == [
        (AlertKind.FAILURE, ORDERS),
        (AlertKind.ROWS_MISMATCH, ORDERS),
    ]


@pytest.mark.parametrize(
    ("rows", "seconds", "usual", "kinds"),
    [
        (FEWEST_ROWS, 10.0, 4_000.0, [AlertKind.SLOW]),  # 1,000 rows/s are less than 30 % of 4,000
        (FEWEST_ROWS, 10.0, 3_000.0, []),
        (FEWEST_ROWS - 1, 10.0, 4_000.0, []),  # too few to say
        (FEWEST_ROWS, 4.9, 40_000.0, []),  # too short
        (FEWEST_ROWS, 10.0, None, []),  # not known
    ],
)
def test_a_load_is_slow_beside_the_last_ones(
    rows: int, seconds: float, usual: float | None, kinds: list[AlertKind]
) -> None:
    verdict = judged(LoadOutcome(ORDERS, rows, 0, seconds, usual_rows_per_second=usual), slow_below="30%")
    assert [finding.kind for finding in verdict.found] == kinds
    for finding in verdict.found:
        assert finding.found == "1,000 rows/s: 10,000 rows in 10.0 s"


@pytest.mark.parametrize(
    ("standing", "kinds"),
    [
        (Standing(ORDERS, NOW - timedelta(hours=25), NOW), []),
        (Standing(ORDERS, NOW - timedelta(hours=27), NOW), [AlertKind.NOT_LOADED]),
        (Standing(ORDERS, NOW, NOW, "2026-11-20", NOW - timedelta(days=2)), []),
        (Standing(ORDERS, NOW, NOW, "2026-11-20", NOW - timedelta(days=4)), [AlertKind.STALE_WATERMARK]),
    ],
)
def test_what_was_not_loaded_and_what_stands_is_told_of(standing: Standing, kinds: list[AlertKind]) -> None:
    verdict, limits = Verdict(), LoadLimits(not_loaded_for="26h", watermark_stands_for="3d")
    judge_standing(verdict, standing, limits, "load it")
    assert [finding.kind for finding in verdict.found] == kinds
    assert not {finding.kind for finding in verdict.found} & {kind for kind, _ in verdict.fine}


def test_without_limits_a_load_that_did_not_fail_is_fine() -> None:
    verdict = judged(LoadOutcome(ORDERS, FEWEST_ROWS, FEWEST_ROWS, 1e6, usual_rows_per_second=1e9))
    judge_standing(verdict, Standing(ORDERS, NOW - timedelta(days=999), NOW), LoadLimits(), "")
    assert verdict.found == []
