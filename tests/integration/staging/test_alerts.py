"""How fast a run is beside its job's last ones."""

from __future__ import annotations

import pytest

from etl.alerts.findings import FEWEST_PACE_LOADS, FEWEST_ROWS
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.ledger.values import NewRun
from etl.staging.watch.alerting import usual_pace
from tests.databases import Execute

pytestmark = pytest.mark.stack

ENDED = (
    "UPDATE etl_runs SET status = 'success', rows_attempted = %s, started_at = finished_at - %s * interval '1 second'"
    " WHERE id = %s"
)


def ended_run(database: StagingDatabase, execute: Execute, run_id: str, seconds: int, rows: int = FEWEST_ROWS) -> None:
    ledger = StagingLedger(database)
    ledger.start_run(NewRun(run_id, "events", "stg_events", 100, 1))
    ledger.finish_run(run_id, None)
    execute(ENDED, (rows, seconds, run_id))


def test_the_usual_pace_is_the_median_of_the_runs_that_read_as_much(
    database: StagingDatabase, execute: Execute
) -> None:
    for number, seconds in enumerate((1, 2, 100)[:FEWEST_PACE_LOADS]):
        ended_run(database, execute, f"run-{number}", seconds)
    ended_run(database, execute, "small", 1, rows=FEWEST_ROWS // 5)
    ended_run(database, execute, "now", 10)
    ledger = StagingLedger(database)
    assert usual_pace(database, ledger.get_run("now")) == FEWEST_ROWS / 2
    assert usual_pace(database, ledger.get_run("small")) is None  # it is too small to say
    execute("DELETE FROM etl_runs WHERE id = 'run-0'")
    assert usual_pace(database, ledger.get_run("now")) is None  # of two nobody can say what is usual
