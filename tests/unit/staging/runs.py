"""A run of the staging ledger, to be varied by `replace`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from etl.staging.ledger.values import Run

BEGUN = datetime(2026, 1, 1, tzinfo=UTC)
LONG_ID = "newsletter_subscribers_of_the_north-20260101-000000-abcdef"
COUNTS = ("attempted", "inserted", "updated", "unchanged", "deduplicated", "rejected", "validated", "invalid")
NO_ROWS: dict[str, Any] = {f"rows_{name}": 0 for name in COUNTS}

RUN = Run(
    id=LONG_ID,
    run_number=1,
    etl_job_id="newsletter_subscribers_of_the_north",
    status="success",
    phase="committing",
    target_table="stg_newsletter_subscribers",
    batch_size=100,
    workers=1,
    parameters={},
    host="here",
    process_id=1,
    created_at=BEGUN,
    started_at=BEGUN,
    heartbeat_at=BEGUN,
    input_ended_at=BEGUN,
    finished_at=BEGUN + timedelta(seconds=110),
    cancelled_at=None,
    cancelled_by=None,
    failure=None,
    batches=3,
    batches_succeeded=3,
    batches_failed=0,
    required_field_errors=0,
    shape_errors=0,
    retries=0,
    resumed_at=None,
    silent_seconds=None,
    **NO_ROWS,
)
