"""The names and labels that docs/uploader.md promises, and where they go."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.request import urlopen

import asyncpg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from etl.errors import ContentionError, SourceError, UsageError
from etl.ingestion.model import BatchCounts, FileResult, FileStatus, FileType, UploadReport
from etl.ingestion.watch.metrics import Metrics, error_class, peak_memory_bytes
from etl.ingestion.watch.observers import BatchDone
from etl.project import PROJECT_DIR
from etl.retrying import RETRIES
from tests.gateway import gateway
from tests.promql import dashboard_queries, selectors


def after_a_run() -> Metrics:
    metrics = Metrics()
    metrics.run_started("run", "people", 2)
    metrics.file_started("a.csv", FileType.CSV, 10)
    counts = BatchCounts(rows_read=10, rows_inserted=4, rows_updated=3, rows_unchanged=1, rows_rejected=2)
    metrics.batch_done(BatchDone("a.csv", FileType.CSV, 0, 1, counts, staged_rows=8, seconds=0.3))
    metrics.batch_retried("a.csv", 1, caused(ContentionError("again"), asyncpg.DeadlockDetectedError("x")), 1, 1.2)
    metrics.batch_failed("b.csv", None, SourceError("ragged"))
    done = FileResult("a.csv", FileType.CSV, FileStatus.SUCCESS, counts)
    failed = FileResult("b.csv", FileType.CSV, FileStatus.FAILED)
    metrics.file_finished(done)
    metrics.file_finished(failed)
    metrics.run_finished(UploadReport("run", "people", (done, failed)))
    return metrics


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


def samples(text: str) -> dict[tuple[str, str], float]:
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_every_promised_series_has_its_value(tmp_path: Path) -> None:
    metrics = after_a_run()
    metrics.write(tmp_path / "uploader.prom")
    values = samples((tmp_path / "uploader.prom").read_text())
    expected = {
        ("ingest_files_processed_total", "file_type=csv,status=success"): 1,
        ("ingest_files_processed_total", "file_type=csv,status=failed"): 1,
        ("ingest_batches_processed_total", "file_type=csv,worker_id=1"): 1,
        ("ingest_rows_read_total", "file_type=csv"): 10,
        ("ingest_rows_staged_total", "file_type=csv"): 8,
        ("ingest_rows_rejected_total", "file_type=csv"): 2,
        ("ingest_rows_upserted_total", "table_name=people"): 7,
        ("ingest_retries_total", ""): 1,
        ("ingest_db_errors_total", "error_class=DeadlockDetectedError"): 1,
        ("ingest_batch_latency_seconds_count", ""): 1,
        ("ingest_batch_latency_seconds_sum", ""): 0.3,
        ("ingest_run_success", "table_name=people"): 0,
    }
    assert {name: values[name] for name in expected} == expected
    assert values["ingest_memory_peak_bytes", ""] > 1_000_000
    assert not any("SourceError" in labels for _, labels in values)


def test_a_textfile_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "uploader.prom").write_text("old")
    after_a_run().write(tmp_path / "uploader.prom")
    assert [path.name for path in tmp_path.iterdir()] == ["uploader.prom"]
    assert "old" not in (tmp_path / "uploader.prom").read_text()


def test_a_folder_that_is_gone_fails_no_run(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    after_a_run().write(tmp_path / "gone" / "uploader.prom")


def test_metrics_are_pushed_under_the_tables_name() -> None:
    with gateway() as (address, received):
        after_a_run().push(address)
    ((_, path, body),) = received
    assert path == "/metrics/job/uploader/table_name/people"
    assert 'ingest_rows_read_total{file_type="csv"} 10.0' in body


def test_a_gateway_that_is_down_fails_no_run() -> None:
    after_a_run().push("127.0.0.1:1")


def test_a_scraper_reads_them_and_a_taken_port_is_bad_use() -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    after_a_run().serve(port)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        assert samples(answer.read().decode())["ingest_rows_read_total", "file_type=csv"] == 10
    with pytest.raises(UsageError, match=f"--metrics-port {port}"):
        Metrics().serve(port)


def test_the_dashboard_asks_for_all_that_there_is_and_nothing_else() -> None:
    queries = dashboard_queries(PROJECT_DIR / "conf" / "grafana" / "uploader.json", {"$table": ".*"})
    asked = {name for query in queries for name, _ in selectors(query)}
    RETRIES.labels("batch retried").inc()
    told = {sample.name for metric in after_a_run().registry.collect() for sample in metric.samples}
    assert asked == {name for name in told if not name.endswith("_created")}


def test_an_error_goes_by_the_databases_own_name() -> None:
    assert error_class(caused(ContentionError("x"), asyncpg.SerializationError("y"))) == "SerializationError"
    assert error_class(ContentionError("x")) == "ContentionError"


def test_the_memory_peak_stays_after_the_memory_is_given_back() -> None:
    before = peak_memory_bytes()
    block = bytearray(b"x") * (before + 50_000_000)
    assert peak_memory_bytes() > before + 40_000_000
    del block
    assert peak_memory_bytes() > before + 40_000_000
