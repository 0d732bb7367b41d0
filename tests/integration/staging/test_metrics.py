from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import orjson
import pytest
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from etl.config.staging.models import JsonFiles, StagingJob
from etl.project import PROJECT_DIR
from etl.staging.database.database import StagingDatabase
from etl.staging.loader import LoadOptions, StagingLoader
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.staging.watch.metrics import Metrics
from etl.statements.staging.tables import StagingTable
from tests.integration.staging.conftest import Execute
from tests.promql import dashboard_queries, missing

pytestmark = pytest.mark.stack

DASHBOARD = PROJECT_DIR / "conf" / "grafana" / "staging.json"
VARIABLES = {"$__rate_interval": "5m", "$staging_job": ".*"}


@pytest.fixture
def scraped(database: StagingDatabase, events: StagingTable, execute: Execute, tmp_path: Path) -> list[Metric]:
    """What a scraper reads after a run with inserted, invalid, rejected, deduplicated and failed records."""
    execute("ALTER TABLE stg_events ADD CONSTRAINT no_k0 CHECK (source_id <> 'k0')")
    file = tmp_path / "events.ndjson"
    records = [{"id": f"k{i}", "n": i} for i in range(250)]
    lines = [orjson.dumps(each) for each in [*records, records[-1], {"id": "invalid"}, {"n": 1}]]
    # JSON for us, too small a number for PostgreSQL: rejected while the batch is stored
    file.write_bytes(b"\n".join([*lines, b'{"id": "tiny", "n": 1e-20000}\n']))
    job = StagingJob(
        id="events", target_table=events.name, source=JsonFiles(type="ndjson", path=(str(file),)), source_id="id",
        required=("n",), batch_size=100, workers=1,
    )  # fmt: skip
    metrics = Metrics(CollectorRegistry())
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    metrics.serve(port)
    source = FileSource(NdjsonFormat(1 << 20), (file,))
    StagingLoader(database, [metrics]).load(job, source, LoadOptions(run_id="run", reject_dir=tmp_path))
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return list(text_string_to_metric_families(answer.read().decode()))


def test_the_metrics_say_what_the_ledger_says(scraped: list[Metric], execute: Execute) -> None:
    values = {sample.name: sample.value for metric in scraped for sample in metric.samples if "le" not in sample.labels}
    ((inserted, rejected, invalid, deduplicated, attempted),) = execute(
        "SELECT rows_inserted, rows_rejected, rows_invalid, rows_deduplicated, rows_attempted FROM etl_runs"
    )
    assert (inserted, rejected, invalid, deduplicated, attempted) == (151, 2, 1, 1, 254)
    assert values["staging_rows_inserted_total"] == inserted
    assert values["staging_rows_rejected_total"] == rejected
    assert values["staging_rows_invalid_total"] == invalid
    assert values["staging_rows_deduplicated_total"] == deduplicated
    assert values["staging_batches_total"] == values["staging_batch_duration_ms_count"] == 2
    assert values["staging_batch_failures_total"] == 1
    assert 0 < values["staging_batch_duration_ms_p95"] <= values["staging_batch_duration_ms_sum"]
    assert values["staging_run_success"] == 0
    # 100 of the failed batch, two rejected and the invalid one
    assert values["staging_error_rate"] == pytest.approx(103 / 254)


def test_every_query_of_the_dashboard_finds_its_series(scraped: list[Metric]) -> None:
    queries = list(dashboard_queries(DASHBOARD, VARIABLES))
    assert len(queries) >= 8
    assert {query: gone for query in queries if (gone := missing(query, scraped))} == {}
