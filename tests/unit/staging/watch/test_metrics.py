from __future__ import annotations

from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Stored
from etl.staging.ledger.failures import Failure
from etl.staging.watch.metrics import Metrics
from tests.gateway import gateway


def test_a_run_is_pushed_under_the_name_of_its_job() -> None:
    metrics = Metrics()
    metrics.run_started("run", "events")
    metrics.batch_stored(PreparedBatch(0, {}, 5), Stored(3, 1, 1, 0), 0.02)
    with gateway() as (address, received):
        metrics.push(address)
    ((method, path, body),) = received
    assert (method, path) == ("PUT", "/metrics/job/staging_events")
    assert 'staging_rows_inserted_total{staging_job="events"} 3.0' in body
    assert 'staging_batch_duration_ms_sum{staging_job="events"} 20.0' in body


def test_a_gateway_that_is_down_fails_no_run() -> None:
    with gateway() as (address, _):
        pass
    Metrics().push(address)


def test_a_scraper_sees_the_error_rate_and_the_95th_percentile_while_a_run_goes() -> None:
    metrics = Metrics()
    metrics.run_started("run", "events")

    def seen(name: str) -> float | None:
        return metrics.registry.get_sample_value(name, {"staging_job": "events"})

    assert (seen("staging_error_rate"), seen("staging_batch_duration_ms_p95")) == (0, 0)
    metrics.batch_stored(PreparedBatch(0, {}, 100), Stored(100, 0, 0, 0), 0.02)
    assert (seen("staging_error_rate"), seen("staging_batch_duration_ms_p95")) == (0, 20)
    metrics.batch_stored(PreparedBatch(1, {}, 100, rows_invalid=10), Stored(100, 0, 0, 0), 0.04)
    metrics.batch_failed(PreparedBatch(2, {}, 100), Failure("x", "y"))
    assert seen("staging_error_rate") == 110 / 300
    assert seen("staging_batch_duration_ms_p95") == 39  # between 20 and 40, as percentile_cont has it
