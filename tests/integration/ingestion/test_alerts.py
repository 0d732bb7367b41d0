"""How fast an upload is beside the last ones into its table."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from pydantic import SecretStr

from etl.alerts.findings import FEWEST_PACE_LOADS, FEWEST_ROWS
from etl.config.alerts import AlertKind, AlertRule, AlertSettings
from etl.ingestion.watch.alerting import UploadAlerts
from tests.integration.ingestion.conftest import Uploads
from tests.receivers import http_receiver

pytestmark = pytest.mark.stack


def test_an_upload_much_slower_than_the_last_ones_is_told(uploads: Uploads) -> None:
    rows = [f"{number},x" for number in range(FEWEST_ROWS)]
    files = [uploads.csv(f"{number}.csv", "id,name", *rows) for number in range(FEWEST_PACE_LOADS + 1)]
    first, *_, last = (uploads.load(file, run_id=file.stem) for file in files)
    with http_receiver() as web:
        channels = {"ops": SecretStr(f"json://127.0.0.1:{web.port}/")}
        settings = AlertSettings(channels=channels, rules=(AlertRule(channel="ops", on=(AlertKind.SLOW,)),))
        alerts = UploadAlerts(settings, uploads.dsn, 10)
        asyncio.run(alerts.tell(replace(first, seconds=1e6)))
        ((subject, body),) = web.taken
        assert subject == "slow: public.t"
        assert "Found:    0 rows/s: 10,000 rows in 1,000,000.0 s" in body
        uploads.execute("DELETE FROM ingestion_manifest WHERE run_id = '1'; DELETE FROM ingestion_alerts")
        asyncio.run(alerts.tell(replace(last, seconds=1e6)))  # two others are too few to say
        assert len(web.taken) == 1
