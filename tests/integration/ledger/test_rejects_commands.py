"""`python -m etl.rejects` on a ledger with rejected and waiting rows."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from etl.ledger import Ledger, Reject, Run
from etl.model import Destination, RunStatus
from etl.postgresql import waits
from etl.rejects.__main__ import app
from tests.integration.ledger.conftest import Execute
from tests.waiting import HOLDER, Telling, held_until_told

pytestmark = pytest.mark.stack

TABLES = """
defaults:
  kind: reference
  source: {type: file, format: csv, path: "/nowhere/{table}.csv"}
tables:
  customers:
    key: id
    source: {columns: {id: bigint, name: text}}
  orders:
    key: id
    source: {columns: {id: bigint, customer_id: bigint}}
"""
TARGETS = """
DROP TABLE IF EXISTS public.orders, public.customers;
CREATE TABLE public.customers (id bigint PRIMARY KEY, name text);
CREATE TABLE public.orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES public.customers (id));
"""
WAITING = """
INSERT INTO etl.rejects (run_id, table_name, destination, rule, reason, row, key, status)
SELECT %s, 'orders', 'postgresql', 'foreign_key', 'no customer ' || n, jsonb_build_object('id', n, 'customer_id', n),
       jsonb_build_object('id', n), 'waiting'
FROM generate_series(1, 2) AS n
"""


@pytest.fixture
def command(named_ledger: Ledger, tmp_path: Path) -> Any:
    """Runs one subcommand against the ledger of the test; returns its result."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "shop.yaml").write_text(TABLES)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config-dir", str(tmp_path)], catch_exceptions=False)

    return run


@pytest.fixture
def rejected(ledger: Ledger, run: Run) -> Run:
    rows = [Reject("cast", f"[x] is no number, row {n}", f'{{"id": {n}, "amount": 1.50}}') for n in range(3)]
    ledger.add_rejects(run.run_id, "orders", None, rows)
    ledger.add_rejects(run.run_id, "customers", Destination.S3, [Reject("range", "too wide", "{}")])
    ledger.finish_run(run.run_id, RunStatus.SUCCESS)
    return run


def test_list(command: Any, rejected: Run) -> None:
    listed = command("list", "--run", rejected.run_id, "--table", "orders", "--limit", "2")
    assert listed.exit_code == 0
    lines = [line.split() for line in listed.stdout.splitlines()]
    where = [rejected.run_id, "orders", "all", "cast", "rejected"]
    assert lines[0] == ["id", "run", "table", "destination", "rule", "status", "key", "reason"]
    assert [line[1:] for line in lines[1:3]] == [
        [*where, "id=2", "[x]", "is", "no", "number,", "row", "2"],
        [*where, "id=1", "[x]", "is", "no", "number,", "row", "1"],
    ]
    assert " ".join(lines[3]).startswith("2 of 3 shown")


def test_list_filters_and_says_when_there_is_nothing(command: Any, rejected: Run) -> None:
    assert [row["table"] for row in json.loads(command("list", "--rule", "range", "--json").stdout)] == ["customers"]
    assert len(json.loads(command("list", "--json").stdout)) == 4
    assert json.loads(command("list", "--status", "waiting", "--json").stdout) == []
    nothing = command("list", "--run", "no-such-run")
    assert (nothing.exit_code, nothing.stdout) == (0, "no rejected rows\n")


def test_show_keeps_every_digit(command: Any, rejected: Run) -> None:
    newest = json.loads(command("list", "--table", "orders", "--json").stdout)[0]
    shown = command("show", str(newest["reject_id"]), "--json")
    assert json.loads(shown.stdout) == newest
    assert newest == {
        "reject_id": newest["reject_id"],
        "run_id": rejected.run_id,
        "table": "orders",
        "destination": None,
        "rule": "cast",
        "reason": "[x] is no number, row 2",
        "status": "rejected",
        "key": None,
        "created_at": newest["created_at"],
        "resolved_at": None,
        "row": {"id": 2, "amount": 1.5},
    }
    assert '"amount": 1.50' in shown.stdout
    readable = command("show", str(newest["reject_id"])).stdout
    assert [line.split() for line in readable.splitlines()][-3:] == [["row"], ["id", "2"], ["amount", "1.50"]]
    assert "[x] is no number, row 2" in readable


def test_retry_loads_the_rows_whose_parents_have_come(command: Any, run: Run, ledger: Ledger, execute: Execute) -> None:
    execute(TARGETS)
    execute(WAITING, [run.run_id])
    ledger.finish_run(run.run_id, RunStatus.SUCCESS)

    execute("INSERT INTO public.customers VALUES (1, 'Ada')")
    first = command("retry")
    assert (first.exit_code, first.stdout) == (1, "orders: 1 of 2 waiting rows are in public.orders\n")
    assert execute("SELECT id, customer_id FROM public.orders") == [(1, 1)]
    assert execute("SELECT key ->> 'id', status FROM etl.rejects ORDER BY 1") == [("1", "resolved"), ("2", "waiting")]

    execute("INSERT INTO public.customers VALUES (2, 'Grace')")
    second = command("retry", "--table", "orders")
    assert (second.exit_code, second.stdout) == (0, "orders: 1 of 1 waiting rows are in public.orders\n")
    third = command("retry")
    assert (third.exit_code, third.stdout) == (0, "no rows are waiting\n")
    assert execute("SELECT count(*) FROM public.orders") == [(2,)]
    assert execute("SELECT count(*) FROM etl.leases") == [(0,)]
    assert [(run.options, run.status) for run in ledger.runs(limit=2)] == [
        ({"command": "rejects retry"}, RunStatus.SUCCESS)
    ] * 2


def test_retry_waits_for_the_run_that_loads_the_table(
    command: Any, run: Run, ledger: Ledger, execute: Execute, tmp_path: Path
) -> None:
    execute(TARGETS)
    execute(WAITING, [run.run_id])
    (tmp_path / "etl.yaml").write_text("run: {lock_timeout_seconds: 0}\n")
    with ledger.lease(run.run_id, "orders", Destination.POSTGRESQL):
        refused = command("retry")
    assert refused.exit_code == 1
    assert f"waited 0 s for run {run.run_id}" in refused.stderr
    assert ledger.runs(limit=1)[0].status is RunStatus.FAILED


def test_bad_use_exits_with_2(command: Any, run: Run, execute: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "expected the id of a rejected row, found 7" in command("show", "7").stderr
    assert command("show", "7").exit_code == 2
    unknown = command("retry", "--table", "ordres")
    assert unknown.exit_code == 2
    assert "unknown table 'ordres'" in unknown.stderr and "orders" in unknown.stderr
    assert command("list", "--status", "lost").exit_code == 2
    undecodable = command("list", "--table", os.fsdecode(b"caf\xe9"))
    assert (undecodable.exit_code, "expected text in UTF-8, found 'caf\\\\xe9'" in undecodable.stderr) == (2, True)

    execute(WAITING, [run.run_id])
    execute("UPDATE etl.rejects SET table_name = 'gone'")
    dropped = command("retry")
    assert (dropped.exit_code, "no longer has: gone" in dropped.stderr) == (2, True)

    monkeypatch.delenv("ETL_POSTGRES_URL")
    homeless = command("list")
    assert (homeless.exit_code, "set ETL_POSTGRES_URL" in homeless.stderr) == (2, True)


def test_a_server_that_does_not_answer_exits_with_1(command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_POSTGRES_URL", "postgresql://etl:very-secret@127.0.0.1:1/etl")
    lost = command("list")
    assert lost.exit_code == 1
    assert lost.stderr.startswith("postgresql://127.0.0.1:1/etl")
    assert "very-secret" not in lost.output


def test_who_holds_what_a_command_waits_for_is_told_before_the_wait_ends(
    command: Any,
    rejected: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    restored_logging: None,
) -> None:
    monkeypatch.setattr(waits, "INTERVAL_SECONDS", 0.2)
    monkeypatch.setattr(sys, "stderr", told := Telling())
    with held_until_told(os.environ["ETL_POSTGRES_URL"], "LOCK TABLE etl.rejects", told) as holders:
        app(["list", "--config-dir", str(tmp_path)], standalone_mode=False)
    wait = told.waits()[0]
    assert wait["wanted"] == "etl.rejects"
    assert wait["held_by"].startswith(f"pid {holders[0]} ({HOLDER}, ")
    assert wait["session"].startswith("ownlens-etl ledger rejects ")
    assert "orders" in capsys.readouterr().out
