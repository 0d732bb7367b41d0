from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from etl.staging.command.rendering import print_cancelled, print_runs, print_summary
from etl.staging.loader import Summary
from tests.unit.staging.runs import BEGUN, LONG_ID, RUN


def console(width: int = 220) -> Console:
    return Console(file=StringIO(), width=width)


def text_of(console: Console) -> str:
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 150, 220])
def test_no_id_is_cut_however_narrow_the_terminal(width: int) -> None:
    screen = console(width)
    print_runs([RUN], screen)
    rows = [line.split("│")[1].strip() for line in text_of(screen).splitlines() if line.startswith("│")]
    assert "".join(rows) == LONG_ID
    assert (len(rows) == 1) == (width >= 150)


def test_a_run_tells_what_became_of_its_rows_as_far_as_there_is_any() -> None:
    screen = console()
    run = replace(RUN, rows_attempted=12_345, rows_inserted=12_300, rows_rejected=45, rows_invalid=7, retries=1)
    print_runs([run], screen)
    assert "│ 3 of 3, 1 retry │ 12,345: 12,300 inserted, 45 rejected, 7 invalid │" in text_of(screen)


@pytest.mark.parametrize(
    ("silent_seconds", "shown"),
    [(None, "success"), (2.0, "running"), (12.3, "running, silent for 12 s"), (60.0, "dead")],
)
def test_a_run_that_nobody_has_ended_may_be_dead(silent_seconds: float | None, shown: str) -> None:
    screen = console()
    run = RUN if silent_seconds is None else replace(RUN, status="running", silent_seconds=silent_seconds)
    print_runs([run], screen)
    assert f"│ {shown} " in text_of(screen)


def test_a_retried_run_is_timed_from_its_retry() -> None:
    screen = console()
    print_summary(Summary(replace(RUN, resumed_at=BEGUN + timedelta(seconds=107)), None), screen)
    first = text_of(screen).splitlines()[0]
    assert first == f"run {LONG_ID}: success in 3.0 s (a retry of the run that began at 2026-01-01 00:00:00 UTC)"


def test_cancelling_says_what_comes_of_it(tmp_path: Path) -> None:
    def told(**changes: Any) -> str:
        screen = console()
        running: dict[str, Any] = {"id": "r", "status": "running", "finished_at": None}
        print_cancelled(replace(RUN, **(running | changes)), screen)
        return text_of(screen)

    assert told(silent_seconds=0.4) == "run r ends after the batches in flight\n"
    assert told(silent_seconds=20.0).endswith(
        "  its last heartbeat is 20 s old: if its process has died, it counts as dead in 40 s, or at once by "
        "`cancel --run r --force`\n"
    )
    assert told(finished_at=BEGUN, status="partial") == "run r has ended: partial\n"
