"""The lake's upkeep beside the main job: neither touches a table while the other has it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from etl.command.logging import LogFormat, configure_logging
from etl.config.configuration import load_configuration
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.errors import LockedError
from etl.ledger import NewRun
from etl.load.s3.__main__ import keep_by_lease
from etl.load.s3.maintenance import LakeKeeper
from etl.model import Destination, RunStatus
from etl.postgresql import waits
from tests.integration.pipeline.conftest import Shop
from tests.waiting import HOLDER, Telling, held_until_told

pytestmark = pytest.mark.stack


def test_upkeep_waits_for_a_load_and_is_a_run_of_the_ledger(shop: Shop, spark: SparkSession) -> None:
    shop.source("CREATE TABLE visits (id int PRIMARY KEY, at timestamptz NOT NULL)")
    shop.source("INSERT INTO visits VALUES (1, '2020-01-01'), (2, now())")
    shop.tables(
        "tables: {visits: {date_column: at, s3: {format: delta, partition_by: partition_date, retention_days: 30}}}"
    )
    assert shop.run(destinations="s3")[0] == 0
    configuration = load_configuration(shop.folder, shop.environ)
    settings, load = configuration.settings, configuration.get_table_load_config("visits", "s3")
    assert settings.s3 and settings.ledger and isinstance(load, S3TableLoadConfig)
    keeper, deleted = LakeKeeper(spark, settings.s3), []

    def retain(keeper: LakeKeeper, config: S3TableLoadConfig) -> str:
        found = keeper.retain(config, datetime.now(UTC).date(), apply=True)
        assert found is not None
        deleted.append(found.rows)
        return f"{found.rows} rows"

    def keep() -> None:
        keep_by_lease(settings.ledger, 1, keeper, [load], retain, "lake retention")  # type: ignore[arg-type]

    loading = shop.ledger.start_run(NewRun((Destination.S3,), ("visits",), {}))
    with shop.ledger.lease(loading.run_id, "visits", Destination.S3):
        with pytest.raises(LockedError, match=f"visits into s3: waited 1 s for run {loading.run_id}"):
            keep()
        assert deleted == []
    shop.ledger.finish_run(loading.run_id, RunStatus.SUCCESS)

    keep()
    assert deleted == [1]
    done, *_ = runs = shop.ledger.runs(limit=4)
    assert (done.options, done.status) == ({"command": "lake retention"}, RunStatus.SUCCESS)
    assert ({"command": "lake retention"}, RunStatus.FAILED) in [(run.options, run.status) for run in runs]
    assert shop.target("SELECT count(*) FROM etl.leases") == [(0,)]


def test_upkeep_says_who_holds_what_it_waits_for(
    shop: Shop, spark: SparkSession, monkeypatch: pytest.MonkeyPatch, restored_logging: None
) -> None:
    shop.ledger.migrate()
    shop.tables("tables: {visits: {}}")
    settings = load_configuration(shop.folder, shop.environ).settings
    assert settings.s3 and settings.ledger
    monkeypatch.setattr(waits, "INTERVAL_SECONDS", 0.2)
    monkeypatch.setattr(sys, "stderr", told := Telling())
    configure_logging(LogFormat.JSON)
    with held_until_told(shop.environ["ETL_POSTGRES_URL"], "LOCK TABLE etl.runs", told) as holders:
        keep_by_lease(settings.ledger, 1, LakeKeeper(spark, settings.s3), [], lambda *_: None, "lake retention")
    wait = told.waits()[0]
    assert (wait["wanted"], wait["session"].rpartition(" ")[0]) == ("etl.runs", "ownlens-etl ledger")
    assert wait["held_by"].startswith(f"pid {holders[0]} ({HOLDER}, ")
