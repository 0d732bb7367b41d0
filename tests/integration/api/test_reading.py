"""What the page reads: runs, batches, jobs, history, workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx2
import orjson
import pytest

from etl.api import configured
from etl.api.configured import KeptConfiguration
from etl.api.models import Batch, BatchPage, Change, Job, JobPage, Run, RunPage, WorkerList
from etl.config.settings import PostgreSQLSettings
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.queries import statement
from etl.staging.loader import Summary
from tests.databases import Execute
from tests.integration.api.conftest import environment_of, served_by
from tests.integration.api.ledger import (
    add_batches,
    add_run,
    end_run,
    fail_batch,
    queue_request,
    store_batch,
)

pytestmark = pytest.mark.stack


def get(client: httpx2.Client, path: str, **query: Any) -> Any:
    answer = client.get(f"/api{path}", params=query)
    assert answer.status_code == 200, answer.text
    return answer.content


def run_of(client: httpx2.Client, run_id: str) -> Run:
    return Run.model_validate_json(get(client, f"/runs/{run_id}"))


def test_a_run_that_was_loaded(client: httpx2.Client, loaded: Summary, ledger: Execute) -> None:
    run = run_of(client, "orders-1")
    assert run.status == "success"
    assert run.is_ended
    assert not run.may_cancel
    assert run.metrics.rows_attempted == 300
    ((stored, invalid),) = ledger("SELECT count(*), count(*) FILTER (WHERE NOT is_valid) FROM stg_orders")
    assert run.metrics.rows_inserted == stored == 299
    assert run.metrics.rows_invalid == run.validation_summary.required_field_errors == invalid == 3
    assert run.metrics.rows_rejected == run.validation_summary.rows_rejected == 1
    assert (run.metrics.batches_total, run.metrics.batches_succeeded, run.metrics.batches_failed) == (3, 3, 0)
    assert run.metrics.is_batches_total_final
    durations = sorted(value for (value,) in ledger("SELECT duration_ms FROM etl_run_batches"))
    assert run.metrics.batch_duration_ms_avg == pytest.approx(sum(durations) / 3)
    assert run.metrics.batch_duration_ms_p95 == pytest.approx(durations[1] + 0.9 * (durations[2] - durations[1]))
    assert run.metrics.throughput_rps == pytest.approx(299 / run.metrics.elapsed_seconds)
    ((latest, finished),) = ledger("SELECT max(committed_at), (SELECT finished_at FROM etl_runs) FROM etl_run_batches")
    assert (run.loaded_at, run.completed_at) == (latest, finished)
    assert [
        (each.batch_index, each.kind, each.path, each.sample_value) for each in run.validation_summary.examples
    ] == [(index, "required", "/total", None) for index in range(3)]


def test_its_batches(client: httpx2.Client, loaded: Summary) -> None:
    page = BatchPage.model_validate_json(get(client, "/runs/orders-1/batches"))
    assert page.next_after is None
    assert [each.index for each in page.batches] == [0, 1, 2]
    assert [(each.status, each.rows_inserted, each.validation_failures) for each in page.batches] == [
        ("succeeded", 100, 1),
        ("succeeded", 100, 1),
        ("succeeded", 99, 1),
    ]
    batch = Batch.model_validate_json(get(client, "/runs/orders-1/batches/1"))
    assert batch.model_dump(include=set(page.batches[1].model_dump())) == page.batches[1].model_dump()
    assert batch.first_ordinal == 100
    assert [each.event for each in batch.logs_fragment] == ["stored"]
    assert [each.source_id for each in batch.examples] == ["o107"]


def test_pages_of_batches(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 25)
    found, after = [], -1
    while True:
        page = BatchPage.model_validate_json(get(client, "/runs/r/batches", after=after, limit=10))
        found += [each.index for each in page.batches]
        if page.next_after is None:
            break
        after = page.next_after
    assert found == list(range(25))
    assert BatchPage.model_validate_json(get(client, "/runs/r/batches", after=14, limit=10)).next_after is None


def test_batches_are_found_by_status_and_text(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 5)
    fail_batch(ledger, "r", 1, is_permanent=True)
    fail_batch(ledger, "r", 2)
    store_batch(ledger, "r", 3)

    def indexes(**query: Any) -> list[int]:
        page = BatchPage.model_validate_json(get(client, "/runs/r/batches", **query))
        return [each.index for each in page.batches]

    assert indexes(status="failed") == [1, 2]
    assert indexes(status=["failed", "succeeded"]) == [1, 2, 3]
    assert indexes(text="BAD val") == [1, 2]
    assert indexes(text="22p02", status="succeeded") == []
    assert indexes(text="%") == []
    page = BatchPage.model_validate_json(get(client, "/runs/r/batches", status="failed"))
    assert [each.error_is_permanent for each in page.batches] == [True, False]


@pytest.mark.parametrize(
    ("columns", "request_of", "expected"),
    [
        ({"status": "pending", "phase": "queued", "started_at": None}, "load", "queued"),
        ({"phase": "queued"}, None, "validating"),
        ({"phase": "validating"}, None, "validating"),
        ({"phase": "loading"}, None, "loading"),
        ({"phase": "committing"}, None, "committing"),
        ({"status": "success", "finished_at": "2026-01-02T00:00:00Z"}, None, "success"),
        ({"status": "partial", "finished_at": "2026-01-02T00:00:00Z"}, None, "partial_success"),
        ({"status": "failed", "finished_at": "2026-01-02T00:00:00Z"}, None, "failed"),
        ({"status": "canceled", "finished_at": "2026-01-02T00:00:00Z"}, None, "canceled"),
        ({"status": "failed", "finished_at": "2026-01-02T00:00:00Z"}, "retry", "queued"),
        ({"phase": "loading"}, "retry", "loading"),
    ],
)
def test_states(
    client: httpx2.Client, ledger: Execute, columns: dict[str, Any], request_of: str | None, expected: str
) -> None:
    add_run(ledger, "r", **columns)
    if request_of:
        queue_request(ledger, "r", request_of)
    run = run_of(client, "r")
    history = RunPage.model_validate_json(get(client, "/jobs/orders/runs"))
    job = Job.model_validate_json(get(client, "/jobs/orders"))
    assert job.last_run is not None
    assert run.status == history.runs[0].status == job.last_run.status == expected
    is_ended = expected in {"success", "partial_success", "failed", "canceled"}
    assert run.is_ended is is_ended
    assert (run.completed_at is not None) is is_ended
    assert job.live_run_id == (None if is_ended else "r")
    assert (run.queueing is not None) is (expected == "queued")


def test_a_queued_run_says_what_it_waits_for(client: httpx2.Client, ledger: Execute) -> None:
    for name in ("first", "second"):
        add_run(ledger, name, status="pending", phase="queued", started_at=None)
        queue_request(ledger, name, "load")
    ledger(
        "INSERT INTO etl_workers (id, host, process_id, maximum_loads, heartbeat_at, stopped_at) VALUES "
        "(gen_random_uuid(), 'here', 1, 2, clock_timestamp(), NULL), "
        "(gen_random_uuid(), 'silent', 2, 2, clock_timestamp() - interval '1 minute', NULL), "
        "(gen_random_uuid(), 'stopped', 3, 2, clock_timestamp(), clock_timestamp())"
    )
    queueing = run_of(client, "second").queueing
    assert queueing is not None
    assert (queueing.requested_by, queueing.ahead, queueing.workers) == ("ada", 1, 1)
    workers = WorkerList.model_validate_json(get(client, "/workers")).workers
    assert {each.host: each.is_alive for each in workers} == {"here": True, "silent": False, "stopped": False}


def test_what_a_retry_would_run(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 4)
    for index in range(4):
        if index == 0:
            store_batch(ledger, "r", index)
        else:
            fail_batch(ledger, "r", index, is_permanent=index == 3)
    assert run_of(client, "r").retryable.batches == 0, "it is under way"
    end_run(ledger, "r", "partial")
    retryable = run_of(client, "r").retryable
    assert (retryable.batches, retryable.rows) == (3, 300)
    assert (retryable.permanent_batches, retryable.permanent_rows) == (1, 100)
    assert not retryable.has_unread_input
    assert not retryable.is_overtaken
    add_run(ledger, "later", batches_succeeded=1)
    assert run_of(client, "r").retryable.is_overtaken


@pytest.mark.parametrize(("source", "can_be_read_on"), [("csv", True), ("query", False), ("stdin", False)])
def test_only_files_are_read_on(client: httpx2.Client, ledger: Execute, source: str, can_be_read_on: bool) -> None:
    parameters = orjson.dumps({"source": {"type": source}}).decode()
    add_run(ledger, "r", status="failed", finished_at="2026-01-02T00:00:00Z", parameters=parameters)
    assert run_of(client, "r").retryable.has_unread_input is can_be_read_on


def test_a_batch_that_was_never_stored_says_how_many_records_it_has(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 1)
    (row,) = BatchPage.model_validate_json(get(client, "/runs/r/batches")).batches
    assert (row.records, row.rows_attempted) == (100, 0)


def test_history_says_what_has_changed_since_the_last_success(client: httpx2.Client, ledger: Execute) -> None:
    before, after = (
        '{"batch_size": 100, "source": {"type": "csv", "path": ["a"]}, "files_read": ["x"]}',
        ('{"batch_size": 200, "source": {"type": "csv", "path": ["a"], "delimiter": ";"}, "files_read": ["y"]}'),
    )
    for name, status, parameters in (
        ("one", "success", before), ("two", "failed", after), ("three", "success", after), ("four", "failed", after),
    ):  # fmt: skip
        add_run(ledger, name, status=status, parameters=parameters, finished_at="2026-01-02T00:00:00Z")
    history = RunPage.model_validate_json(get(client, "/jobs/orders/runs"))
    changes = {
        run.etl_run_id: {each.key: (each.before, each.after) for each in run.configuration_changes}
        for run in history.runs
    }
    since_one = {"batch_size": ("100", "200"), "source.delimiter": (None, '";"')}
    assert changes == {"four": {}, "three": since_one, "two": since_one, "one": {}}
    assert run_of(client, "four").last_success == "three"
    assert run_of(client, "one").last_success is None


def test_long_values_are_compared_whole_and_queries_are_not_told(client: httpx2.Client, ledger: Execute) -> None:
    for name, status, end, query in (("one", "success", "a", "SELECT 1"), ("two", "failed", "b", "SELECT 2")):
        source = {"type": "query", "query": query}
        parameters = orjson.dumps({"source": source, "description": "x" * 3000 + end}).decode()
        add_run(ledger, name, status=status, parameters=parameters, finished_at="2026-01-02T00:00:00Z")
    changes = {each.key: (each.before, each.after) for each in run_of(client, "two").configuration_changes}
    long = '"' + "x" * 1999
    assert changes == {"description": (long, long), "source.query": ('"changed"', '"changed"')}


def test_pages_of_history(client: httpx2.Client, ledger: Execute) -> None:
    for number in range(7):
        add_run(ledger, f"r{number}", status="failed", finished_at="2026-01-02T00:00:00Z")
    first = RunPage.model_validate_json(get(client, "/jobs/orders/runs", limit=4))
    assert [each.etl_run_id for each in first.runs] == ["r6", "r5", "r4", "r3"]
    rest = RunPage.model_validate_json(get(client, "/jobs/orders/runs", limit=4, before=first.next_before))
    assert [each.etl_run_id for each in rest.runs] == ["r2", "r1", "r0"]
    assert rest.next_before is None


def test_jobs_are_found_by_id_and_description(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "old-1", "no_orders_any_more", status="failed", finished_at="2026-01-02T00:00:00Z")

    def found(query: str = "", **more: Any) -> list[str]:
        page = JobPage.model_validate_json(get(client, "/jobs", query=query, **more))
        assert page.total >= len(page.jobs)
        return [each.etl_job_id for each in page.jobs]

    assert found() == ["no_orders_any_more", "orders", "piped", "returns"]
    assert found("ORD") == ["orders", "no_orders_any_more", "returns"]
    assert found("what came") == ["returns"]
    assert found(limit=1, offset=1) == ["orders"]
    assert found("nothing like it") == []
    jobs = JobPage.model_validate_json(get(client, "/jobs")).jobs
    assert [each.is_configured for each in jobs] == [False, True, True, True]
    assert jobs[0].last_run is not None
    assert jobs[0].last_run.etl_run_id == "old-1"


def test_jobs_that_ran_last_come_first(client: httpx2.Client, ledger: Execute) -> None:
    for run_id, job_id in (("a", "returns"), ("b", "zebra"), ("c", "orders"), ("d", "returns")):
        add_run(ledger, run_id, job_id, status="success", finished_at="2026-01-02T00:00:00Z")

    def found(**more: Any) -> list[str]:
        page = JobPage.model_validate_json(get(client, "/jobs", sort="last_run", **more))
        return [each.etl_job_id for each in page.jobs]

    assert found() == ["returns", "orders", "zebra", "piped"]
    assert found(query="orders") == ["returns", "orders"]  # one has the word in its description
    assert found(limit=2, offset=1) == ["orders", "zebra"]


def test_last_runs_are_found_in_an_index(ledger: Execute) -> None:
    ledger("INSERT INTO etl_jobs (id, target_table) SELECT 'job' || i, 'stg_orders' FROM generate_series(1, 200) AS i")
    ledger(
        "INSERT INTO etl_runs (id, etl_job_id, status, phase, target_table, batch_size, finished_at) "
        "SELECT job || '-' || i, 'job' || job, 'success', 'committing', 'stg_orders', 100, now() "
        "FROM generate_series(1, 200) AS job, generate_series(1, 30) AS i"
    )
    ledger("ANALYZE etl_jobs, etl_runs")
    plan = "\n".join(line for (line,) in ledger("EXPLAIN " + statement("page_known_jobs_by_last_run")))
    assert "etl_runs_etl_job_id_run_number_idx" in plan
    assert "Seq Scan on etl_runs" not in plan


def test_jobs_of_a_new_file_show_without_a_restart(
    page_settings: PostgreSQLSettings, staging: StagingDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configured, "LOOK_SECONDS", 0)
    (tmp_path / "staging").mkdir()
    with (
        served_by(KeptConfiguration.of(tmp_path, environment_of(page_settings))) as page,
        page.client() as client,
    ):
        assert client.get("/api/jobs/fresh").status_code == 404
        file = tmp_path / "staging" / "fresh.yaml"
        file.write_text("jobs: {fresh: {target_table: stg_orders, source: {type: stdin}, source_id: id}}")
        assert Job.model_validate_json(get(client, "/jobs/fresh")).is_configured
        file.write_text("jobs: {fresh: {}}")
        assert client.get("/api/health").json() == {"status": "ok", "is_configuration_current": False}
        assert Job.model_validate_json(get(client, "/jobs/fresh")).is_configured


def test_a_job_as_it_is_configured(client: httpx2.Client) -> None:
    job = Job.model_validate_json(get(client, "/jobs/orders"))
    assert (job.source_type, job.source_id, job.required) == ("ndjson", "id", ["total"])
    assert job.source.endswith("/orders.ndjson")
    assert (job.batch_size, job.batch_size_from) == (100, "job")
    other = Job.model_validate_json(get(client, "/jobs/returns"))
    assert (other.source, other.batch_size, other.batch_size_from) == ("a query", 1000, "default")


def test_changes_since_an_event(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 3)
    everything = Change.model_validate_json(get(client, "/runs/r/changes"))
    assert everything.is_complete
    assert [each.index for each in everything.batches] == [0, 1, 2]
    nothing = Change.model_validate_json(get(client, "/runs/r/changes", since=everything.id))
    assert (nothing.batches, nothing.is_complete, nothing.is_last) == ([], False, False)
    store_batch(ledger, "r", 1)
    one = Change.model_validate_json(get(client, "/runs/r/changes", since=everything.id))
    assert [(each.index, each.status, each.revision) for each in one.batches] == [(1, "succeeded", 2)]
    fail_batch(ledger, "r", 0)
    fail_batch(ledger, "r", 2)
    end_run(ledger, "r", "partial")
    last = Change.model_validate_json(get(client, "/runs/r/changes", since=one.id))
    assert [each.index for each in last.batches] == [0, 2]
    assert last.is_last
    assert last.run.revision > one.run.revision


def test_changes_of_a_transaction_that_was_open(client: httpx2.Client, ledger: Execute, page_settings: Any) -> None:
    """It began before the event and commits after it: it is seen by whoever asks since that event."""
    from tests.databases import statements_of

    add_run(ledger, "r")
    add_batches(ledger, "r", 2)
    with statements_of(page_settings) as other:
        other("BEGIN")
        store_batch(other, "r", 0)
        store_batch(ledger, "r", 1)
        seen = Change.model_validate_json(get(client, "/runs/r/changes"))
        assert [each.status for each in seen.batches] == ["pending", "succeeded"]
        other("COMMIT")
    missed = Change.model_validate_json(get(client, "/runs/r/changes", since=seen.id))
    assert (0, "succeeded") in [(each.index, each.status) for each in missed.batches]
