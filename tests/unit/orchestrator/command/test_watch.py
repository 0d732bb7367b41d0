"""The board of a cycle: what each run's state is said to be, and that it fits any terminal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from etl.orchestrator.command.board import Board, drawn, state_of
from etl.orchestrator.command.rendering_watch import print_end, render

NOW = datetime(2026, 11, 26, 2, 10, tzinfo=UTC)
DUE = NOW - timedelta(minutes=10)
NOTHING: dict[str, Any] = {
    "trigger": "schedule",
    "status": "queued",
    "attempts": 0,
    "maximum_attempts": 3,
    "worker_id": None,
    "scheduled_at": DUE,
    "created_at": DUE,
    "ready_at": None,
    "started_at": None,
    "ended_at": None,
    "records_written": None,
    "error_class": None,
    "error_message": None,
    "reason": None,
    "because_run_id": None,
    "cancel_requested_at": None,
    "is_enabled": True,
    "seen_at": NOW,
    "waits_for": None,
    "held_by": None,
}
BEGUN = {"attempts": 1, "started_at": NOW - timedelta(seconds=133), "worker_id": "host-1"}
ENDED = {**BEGUN, "ended_at": NOW}


def run(run_id: int = 1, slug: str = "bronze_a", **columns: Any) -> dict[str, Any]:
    return {**NOTHING, "run_id": run_id, "slug": slug, "layer": slug.partition("_")[0], **columns}


def night() -> Board:
    """72 runs, some of each state."""
    rows = []
    for n in range(24):
        state = (
            {"status": "failed", **ENDED, "error_class": "StoreError", "error_message": "no\ncolumn"}
            if n == 5
            else ({"status": "running", **BEGUN} if n > 20 else {"status": "success", **ENDED, "records_written": 1000})
        )
        rows.append(run(n, f"bronze_source_table_{n:02d}", **state))
    for n in range(28):
        state = (
            {"status": "skipped", "ended_at": NOW, "because_run_id": 5, "reason": "r"}
            if n == 5
            else ({"status": "queued", "waits_for": ["bronze_source_table_21", "bronze_source_table_22"]})
        )
        rows.append(run(100 + n, f"silver_store_of_{n:02d}", **state))
    rows += [run(200 + n, f"gold_daily_figures_{n:02d}", waits_for=["silver_store_of_01"]) for n in range(20)]
    return drawn("2026-11-26T02:00:00Z", rows)


def shown(board: Board, width: int, height: int) -> list[str]:
    console = Console(file=StringIO(), width=width, height=height)
    console.print(render(board, width, height))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


@pytest.mark.parametrize(
    ("columns", "state", "told"),
    [
        ({"waits_for": ["bronze_b", "bronze_c", "bronze_d"]}, "waiting", "for bronze_b, +2"),
        ({"ready_at": NOW - timedelta(seconds=9)}, "ready", "for 0:09"),
        ({"ready_at": NOW - timedelta(seconds=9), "held_by": 7}, "ready", "its key is held by run 7"),
        ({"ready_at": NOW - timedelta(seconds=9), "is_enabled": False}, "ready", "its job is disabled"),
        (
            {**BEGUN, "ready_at": NOW + timedelta(seconds=42), "error_class": "ConnectionLostError"},
            "again",
            "in 0:42 after ConnectionLostError",
        ),
        ({"status": "running", **BEGUN}, "running", "on host-1"),
        ({"status": "running", **BEGUN, "cancel_requested_at": NOW}, "running", "is being cancelled"),
        ({"status": "success", **ENDED, "records_written": 1234}, "success", "1,234 rows"),
        ({"status": "failed", **ENDED, "error_class": "exit 1", "error_message": "no"}, "failed", "exit 1: no"),
        ({"status": "failed", **ENDED, "reason": "held"}, "failed", "held"),
        ({"status": "skipped", "because_run_id": 4, "reason": "its parent"}, "skipped", "because of run 4"),
        ({"status": "skipped", "reason": "missed"}, "skipped", "missed"),
        ({"status": "cancelled", "reason": "wrong day"}, "cancelled", "wrong day"),
    ],
)
def test_what_is_said_of_a_run(columns: dict[str, Any], state: str, told: str) -> None:
    ((line,), row) = drawn("c", [run(**columns)]).lines, run(**columns)
    assert (line.state, line.told) == (state, told)
    assert state_of(row) == state


@pytest.mark.parametrize("height", [8, 15, 24, 50, 100])
@pytest.mark.parametrize("width", [40, 80, 120, 180, 200, 300])
def test_it_fits_the_terminal(width: int, height: int) -> None:
    lines = shown(night(), width, height)
    assert len(lines) <= height
    assert max(len(line) for line in lines) <= width


def test_on_a_small_terminal_all_are_signs_and_the_urgent_are_words() -> None:
    lines = shown(night(), 80, 24)
    text = "\n".join(lines)
    assert "22 of 72" in lines[0]
    assert "● 3 running" in lines[1]
    assert "✗ 1 failed" in lines[1]
    signs = {line.split()[0]: line.split()[1] for line in lines if line.startswith(("bronze ", "silver ", "gold "))}
    assert {layer: len(each) for layer, each in signs.items()} == {"bronze": 24, "silver": 28, "gold": 20}
    assert signs["bronze"] == "✓✓✓✓✓✗✓✓✓✓✓✓✓✓✓✓✓✓✓✓✓●●●"
    for urgent in ("bronze_source_table_05", "bronze_source_table_21", "bronze_source_table_23"):
        assert urgent in text
    assert "StoreError: no column" in text
    assert "waits for bronze_source_table_21, +1" in text


def test_on_a_large_terminal_each_job_has_its_line() -> None:
    text = "\n".join(shown(night(), 200, 50))
    assert all(line.slug in text for line in night().lines)


def test_it_ends_with_how_it_stands_and_what_failed() -> None:
    console = Console(file=StringIO(), width=200)
    print_end(night(), console)
    assert isinstance(console.file, StringIO)
    first, failed = console.file.getvalue().splitlines()
    assert "3 running" in first
    assert "bronze_source_table_05" in failed
    assert "run 5 failed: StoreError: no column" in failed


def test_a_cycle_has_ended_when_all_its_runs_have() -> None:
    done = drawn("c", [run(1, status="success", **ENDED), run(2, "silver_a", status="success", **ENDED)])
    assert (done.has_ended, done.is_success, done.seconds) == (True, True, 133)
    assert not night().has_ended
    assert not night().is_success


@pytest.mark.parametrize(
    ("others", "is_success"),
    [
        ([{"status": "skipped", "reason": "its job is disabled"}], True),
        (
            [{"status": "skipped", "reason": "disabled"}, {"status": "skipped", "reason": "r", "because_run_id": 2}],
            True,
        ),
        ([{"status": "skipped", "reason": "r", "because_run_id": 99}], False),
        ([{"status": "cancelled", "reason": "r"}], False),
        ([{"status": "failed", **BEGUN}, {"status": "skipped", "reason": "r", "because_run_id": 2}], False),
    ],
)
def test_what_was_skipped_for_a_reason_of_its_own_is_no_failure(others: list[dict[str, Any]], is_success: bool) -> None:
    runs = [run(1, status="success", **ENDED), *(run(n, ended_at=NOW, **each) for n, each in enumerate(others, 2))]
    assert drawn("c", runs).is_success is is_success
