"""`etl history` on a ledger with three runs: the second failed in a store, the third was slow and rejected more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from etl.errors import StoreError
from etl.history.__main__ import app
from etl.ledger import Ledger
from etl.model import Destination, RunStatus
from tests.integration.ledger.conftest import Execute, plan, result, start_run

pytestmark = pytest.mark.stack

PLANNED = [("customers", Destination.POSTGRESQL), ("orders", Destination.S3)]


@pytest.fixture
def history(named_ledger: Ledger, tmp_path: Path) -> Any:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "all.yaml").write_text("tables: {customers: {kind: reference, key: id}}\n")

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config-dir", str(tmp_path)])

    return run


@pytest.fixture
def three(ledger: Ledger) -> list[str]:
    return [
        _run(ledger, 1.0),
        _run(ledger, 1.2, error=StoreError("the bucket is gone")),
        _run(ledger, 4.0, rows_read=20, rows_rejected=11),
    ]


def _run(ledger: Ledger, seconds: float, error: StoreError | None = None, **planned: int) -> str:
    run = start_run(ledger)
    ledger.plan_loads(run.run_id, PLANNED)
    ledger.begin_load(run.run_id, plan(**planned))
    ledger.complete_load(run.run_id, result(seconds=seconds))
    orders = {"table_name": "orders", "destination": Destination.S3, "target": "s3a://b/orders"}
    ledger.begin_load(run.run_id, plan(**orders))
    if error:
        ledger.fail_load(run.run_id, "orders", Destination.S3, error)
    else:
        ledger.complete_load(run.run_id, result(seconds=0.1, **orders))
    ledger.finish_run(run.run_id, RunStatus.PARTIAL if error else RunStatus.SUCCESS)
    return run.run_id


def asked(run: Any, *arguments: str) -> Any:
    done = run(*arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_the_last_runs_with_the_sums_of_their_loads(history: Any, three: list[str]) -> None:
    found = asked(history, "runs")
    assert [each["run_id"] for each in found] == three[::-1]
    latest, failed, _ = found
    assert (latest["status"], latest["loads_success"], latest["loads_failed"]) == ("success", 2, 0)
    assert (latest["rows_read"], latest["rows_inserted"], latest["rows_rejected"]) == (30, 4, 14)
    assert (failed["status"], failed["loads_success"], failed["loads_failed"]) == ("partial", 1, 1)
    assert len(asked(history, "runs", "--limit", "1")) == 1
    shown = history("runs").stdout
    assert three[0] in shown and "partial" in shown


def test_the_slowest_tables_and_how_the_last_load_compares(history: Any, three: list[str]) -> None:
    customers, orders = asked(history, "tables")
    assert (customers["table_name"], customers["loads"], customers["failures"]) == ("customers", 3, 0)
    seconds = [customers[f"{name}_seconds"] for name in ("median", "longest", "last")]
    assert seconds == pytest.approx([1.2, 4.0, 4.0])
    assert (customers["median_rows_read"], customers["last_rows_read"]) == (10, 20)
    assert (orders["failures"], orders["last_status"]) == (1, "success")
    assert len(asked(history, "tables", "--limit", "1")) == 1
    assert asked(history, "tables", "--runs", "1")[0]["loads"] == 1
    assert "×3.3" in history("tables").stdout


def test_what_is_different_between_two_runs(history: Any, three: list[str]) -> None:
    found = asked(history, "diff")
    assert (found["before"], found["after"]) == (three[1], three[2])
    customers, orders = found["loads"]
    assert customers["changed"] == ["rows_read", "rows_rejected", "seconds"]
    assert (customers["before"]["rows_rejected"], customers["after"]["rows_rejected"]) == (2, 12)
    assert orders["changed"][0] == "status"
    assert orders["before"]["error"] == "the bucket is gone"
    shown = history("diff", three[0], three[2]).stdout
    assert shown.startswith(f"{three[0]} → {three[2]}: 1 loads differ")
    assert "1.0 → 4.0" in shown
    assert "no load differs" in history("diff", three[0], three[0]).stdout


def test_what_there_is_not_is_said(history: Any, ledger: Ledger, execute: Execute) -> None:
    assert history("runs").stdout == "no runs yet\n"
    assert history("tables").stdout == "no loads yet\n"
    for arguments, said in (
        (("diff",), "expected two runs to compare, found 0 in the ledger"),
        (("diff", "a", "b"), "expected a run of the ledger, found 'a'"),
    ):
        refused = history(*arguments)
        assert (refused.exit_code, said in refused.output) == (2, True)
    execute("DROP SCHEMA etl CASCADE")
    refused = history("runs")
    assert (refused.exit_code, "the ledger has no run yet" in refused.output) == (2, True)
