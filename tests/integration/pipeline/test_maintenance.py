"""Upkeep as part of a run: when it is due, who does it, what becomes of a run where it fails or is broken off."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import SparkSession

from etl.errors import StoreError
from etl.ledger import NewRun
from etl.load.s3.maintenance import LakeKeeper
from etl.model import Destination, RunStatus
from etl.pipeline import run as run_module
from tests.integration.pipeline.conftest import Shop

pytestmark = pytest.mark.stack

VISITS = "CREATE TABLE visits (id int PRIMARY KEY, at timestamptz NOT NULL, created_at timestamptz DEFAULT now())"


def visits(shop: Shop, maintenance: str, **more: Any) -> None:
    """One table of events by day, thirty of which are kept."""
    options = {"format": "delta", "mode": "append", "partition_by": "partition_date", "retention_days": 30} | more
    block = ", ".join(f"{key}: {value}" for key, value in options.items())
    shop.tables(f"tables: {{visits: {{kind: event, date_column: at, s3: {{{block}, maintenance: {maintenance}}}}}}}")


def rows(shop: Shop, spark: SparkSession) -> list[int]:
    path = f"s3a://{shop.environ['ETL_S3_BUCKET']}/data-lake/{shop.name}/visits"
    return sorted(row["id"] for row in spark.read.format("delta").load(path).select("id").collect())


def load_again(shop: Shop) -> tuple[int, dict[str, Any]]:
    return shop.run(destinations="s3")


def let_a_week_pass(shop: Shop) -> None:
    for table in ("maintenance", "loads"):
        shop.target(
            f"UPDATE etl.{table} SET started_at = started_at - interval '7 days', "
            "finished_at = finished_at - interval '7 days'"
        )


@pytest.mark.slow
def test_a_run_maintains_what_it_has_loaded_when_it_is_due(
    shop: Shop, spark: SparkSession, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.source(f"{VISITS}; INSERT INTO visits VALUES (1, '2020-01-01'), (2, now())")
    visits(shop, "weekly")
    assert load_again(shop)[1]["maintenance"] == [], "a first load leaves nothing to be done"
    shop.source("INSERT INTO visits VALUES (3, now(), now() + interval '1 second')")
    assert load_again(shop)[1]["maintenance"] == []
    assert rows(shop, spark) == [1, 2, 3]

    let_a_week_pass(shop)
    capsys.readouterr()
    assert shop.run("--dry-run", destinations="s3")[0] == 0
    said = capsys.readouterr().out
    assert "maintenance weekly: would delete 1 days before" in said
    assert "(2020-01-01 to 2020-01-01; 1 rows)" in said
    assert "maintenance weekly: would join 2 small files" in said
    assert rows(shop, spark) == [1, 2, 3]

    exit_code, report = load_again(shop)
    [done] = report["maintenance"]
    assert (exit_code, report["status"], report["loads"][0]["status"]) == (0, "success", "unchanged")
    assert (done["status"], done["days_deleted"], done["rows_deleted"], done["files_joined"]) == ("success", 1, 1, 2)
    assert (datetime.now(UTC).date() - date.fromisoformat(done["deleted_before"])).days == 30
    assert rows(shop, spark) == [2, 3]
    assert load_again(shop)[1]["maintenance"] == [], "it is done once a week"
    assert shop.target("SELECT count(*) FROM etl.leases") == [(0,)]


def test_what_fails_fails_no_load_and_is_done_by_the_next_run(
    shop: Shop, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.source(f"{VISITS}; INSERT INTO visits VALUES (1, '2020-01-01'), (2, now())")
    visits(shop, "after_run")

    def broken(self: LakeKeeper, config: object) -> int:
        raise StoreError("expected the disk to have room, found none")

    with monkeypatch.context() as patched:
        patched.setattr(LakeKeeper, "optimize", broken)
        exit_code, report = load_again(shop)
    assert (exit_code, report["status"], report["loads"][0]["status"]) == (0, "success", "success")
    assert [(one["status"], one["error"]) for one in report["maintenance"]] == [
        ("failed", "expected the disk to have room, found none")
    ]
    [done] = load_again(shop)[1]["maintenance"]
    assert (done["status"], done["days_deleted"], rows(shop, spark)) == ("success", 0, [2])


@pytest.mark.slow
def test_another_run_that_has_the_table_is_not_waited_for(
    shop: Shop, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.source(f"{VISITS}; INSERT INTO visits VALUES (1, '2020-01-01'), (2, now())")
    visits(shop, "after_run")
    shop.ledger.migrate()
    other = shop.ledger.start_run(NewRun((Destination.S3,), ("visits",), {}))
    with ExitStack() as held, monkeypatch.context() as patched:
        lease = shop.ledger.lease(other.run_id, "visits", Destination.S3)
        patched.setattr(run_module, "_replay_orphans", lambda _: held.enter_context(lease))
        exit_code, report = load_again(shop)
        assert (exit_code, report["loads"][0]["status"], report["maintenance"]) == (0, "success", [])
        # a load that waits for the lease in vain leaves nothing to be maintained
        patched.setattr(run_module, "_replay_orphans", lambda _: None)
        exit_code, report = load_again(shop)
        assert (exit_code, report["loads"][0]["status"], report["maintenance"]) == (1, "failed", [])
    shop.ledger.finish_run(other.run_id, RunStatus.SUCCESS)
    assert rows(shop, spark) == [1, 2]
    assert [one["days_deleted"] for one in load_again(shop)[1]["maintenance"]] == [1]


@pytest.mark.slow
def test_what_a_killed_run_had_begun_is_done_by_the_one_that_resumes_it(
    shop: Shop, spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.source(f"{VISITS}; INSERT INTO visits VALUES (1, '2020-01-01'), (2, now())")
    visits(shop, "after_run")
    with monkeypatch.context() as patched:
        # the process is gone in the middle of it: neither the upkeep nor the run has an end in the ledger
        patched.setattr(LakeKeeper, "vacuum", lambda *_: (_ for _ in ()).throw(SystemExit))
        for name in ("fail_maintenance", "finish_run"):
            patched.setattr(f"etl.ledger.ledger.Ledger.{name}", lambda *_: True)
        with pytest.raises(SystemExit):
            load_again(shop)
    [killed] = shop.ledger.runs(limit=1)
    assert [one.status for one in shop.ledger.maintenance(killed.run_id)] == ["running"]
    shop.target("UPDATE etl.runs SET heartbeat_at = now() - interval '2 minutes'")

    exit_code, report = shop.run("--resume", killed.run_id)
    assert (exit_code, report["status"], report["loads"]) == (0, "success", [])
    assert [(one["table"], one["status"]) for one in report["maintenance"]] == [("visits", "success")]
    assert [(one.status, one.error_class) for one in shop.ledger.maintenance(killed.run_id)] == [
        ("failed", "Interrupted")
    ]
    assert rows(shop, spark) == [2]
