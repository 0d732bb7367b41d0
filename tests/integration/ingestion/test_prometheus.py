"""What a real Prometheus shows of uploads that were pushed: a number in every panel."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.project import PROJECT_DIR
from tests.databases import database_of_its_own
from tests.integration.ingestion.test_command import url_of
from tests.patience import until
from tests.prometheus import Prometheus, prometheus
from tests.promql import dashboard_queries

if TYPE_CHECKING:
    from tests.conftest import RunningStack

pytestmark = [pytest.mark.stack, pytest.mark.slow]

DASHBOARD = PROJECT_DIR / "conf" / "grafana" / "uploader.json"


@pytest.fixture(scope="module")
def asked(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """After an upload that set a row aside, and one that failed into another table."""
    folder = tmp_path_factory.mktemp("uploads")
    (folder / "people.csv").write_text("id,name\n1,Ana\n2,Rui\n3,Eva\nx,bad\n")
    with (
        database_of_its_own(stack.settings.postgresql, "uploader_prometheus") as settings,
        prometheus(tmp_path_factory.mktemp("prometheus")) as server,
    ):
        _upload(settings, folder, server, "people", "--rejects", "reject", expected=0)
        _upload(settings, folder, server, "others", expected=1)
        until(lambda: len(server.values("ingest_run_success")) == 2)
        yield server


def _upload(
    settings: PostgreSQLSettings, folder: Path, server: Prometheus, table: str, *more: str, expected: int
) -> None:
    columns = ("--table", table, "--headers", "id:bigint,name", "--pk", "id", "--preserve-types")
    command = ("load", "--files", "people.csv", *columns, "--pushgateway", server.gateway, *more)
    environ = {**os.environ, "ETL_UPLOADER_DSN": url_of(settings), "PYTHONPATH": str(PROJECT_DIR)}
    ended = subprocess.run(
        [sys.executable, "-m", "etl.ingestion", *command], cwd=folder, env=environ, capture_output=True, text=True
    )
    assert ended.returncode == expected, ended.stderr


@pytest.mark.parametrize("query", [*dashboard_queries(DASHBOARD, {"$table": "people"})])
def test_every_panel_shows_a_number(asked: Prometheus, query: str) -> None:
    found = asked.values(query)
    assert found and not any(map(math.isnan, found))


@pytest.mark.parametrize(
    ("name", "table", "value"),
    [
        ("ingest_run_success", "people", 1),
        ("ingest_rows_read_total", "people", 4),
        ("ingest_rows_rejected_total", "people", 1),
        ("ingest_rows_upserted_total", "people", 3),
        ("ingest_run_success", "others", 0),
    ],
)
def test_tables_are_told_apart(asked: Prometheus, name: str, table: str, value: float) -> None:
    assert asked.values(f'{name}{{table_name="{table}", job="uploader"}}') == [value]
