"""Tables of jobs, runs and locks: on a narrow terminal less, and no name cut or broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from etl.orchestrator.command.moments import between, clock
from etl.orchestrator.command.rendering import print_jobs, print_locks, print_runs

AT = datetime(2026, 11, 26, 2, 0, tzinfo=UTC)
SLUG = "silver_newsletter_subscribers_of_all_brands"
JOB = {
    "slug": SLUG, "layer": "silver", "is_enabled": True, "status": "success", "started_at": AT, "ended_at": AT,
    "next_run_at": AT + timedelta(days=1), "paused_at": None,
}  # fmt: skip
RUN = {
    "run_id": 4711, "slug": SLUG, "status": "queued", "ready_at": None, "scheduled_at": AT, "started_at": None,
    "ended_at": None, "attempts": 0, "records_written": None, "cycle_id": "2026-11-26T02:00:00Z",
}  # fmt: skip
LOCK = {
    "fencing_token": 9, "concurrency_key": SLUG, "run_id": 4711, "slug": SLUG, "attempt": 1, "worker_id": "host:1:abc",
    "acquired_at": AT, "seen_at": AT + timedelta(seconds=75), "expires_at": AT + timedelta(seconds=95),
}  # fmt: skip

Print = Callable[[Sequence[Any], Console], None]


def printed(print_rows: Print, row: dict[str, Any], width: int) -> list[str]:
    console = Console(file=StringIO(), width=width)
    print_rows([row], console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(("print_rows", "row"), [(print_jobs, JOB), (print_runs, RUN), (print_locks, LOCK)])
@pytest.mark.parametrize("width", [88, 149, 220])
def test_a_row_is_a_line_with_its_whole_name(print_rows: Print, row: dict[str, Any], width: int) -> None:
    _, line = printed(print_rows, row, width)
    assert SLUG in line


def test_wide_and_narrow_tell_what_there_is_room_for() -> None:
    assert "host:1:abc" in printed(print_locks, LOCK, 220)[1]
    assert printed(print_locks, LOCK, 88)[1].split() == ["9", SLUG, "run", "4711", "1:15", "ends", "in", "20", "s"]
    assert "2026-11-26T02:00:00Z" in printed(print_runs, RUN, 220)[1]
    assert printed(print_runs, RUN, 88)[1].split() == ["4711", SLUG, "waiting", "2026-11-26", "02:00:00"]


def test_a_lease_that_ran_out_is_said_to_have() -> None:
    late = {**LOCK, "seen_at": AT + timedelta(seconds=100)}
    assert printed(print_locks, late, 220)[1].endswith("ran out 5 s ago")


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0, "0:00"), (7.9, "0:07"), (723, "12:03"), (3723, "1:02:03"), (100_000, "27:46:40"), (-3, "0:00")],
)
def test_durations(seconds: float, told: str) -> None:
    assert clock(seconds) == told


def test_a_duration_without_an_end_is_nothing() -> None:
    assert (between(AT, None), between(None, AT), between(AT, AT + timedelta(seconds=9))) == ("", "", "0:09")
