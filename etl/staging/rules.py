"""A job's YAML → what is applied to its records."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from etl.config.staging import InstantFormat, StagingJob
from etl.staging.paths import getter
from etl.staging.preparing import Rules
from etl.staging.shapes import Shape
from etl.staging.tolerance import Tolerance
from etl.statements.staging import StagingTable

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def rules_of(job: StagingJob) -> Rules:
    return Rules(
        source_id=getter(job.source_id),
        source_updated_at=getter(job.source_updated_at) if job.source_updated_at else None,
        parse_instant=_PARSERS[job.source_updated_at_format],
        required=tuple((path, getter(path)) for path in job.required),
        shape=Shape(job.shape) if job.shape else None,
        maximum_record_bytes=job.maximum_record_bytes,
    )


def table_of(job: StagingJob) -> StagingTable:
    """As `init` makes it."""
    return StagingTable(job.target_table, has_gin_index=job.gin_index)


def tolerance_of(job: StagingJob) -> Tolerance:
    return Tolerance(job.maximum_invalid.count, job.maximum_invalid.share) if job.maximum_invalid else Tolerance()


def _iso(value: Any) -> datetime:
    """ISO 8601; without an offset it is UTC."""
    if not isinstance(value, str):
        raise ValueError("ISO 8601 text, as source_updated_at_format says")
    instant = datetime.fromisoformat(value)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _epoch_seconds(value: Any) -> datetime:
    return _EPOCH + timedelta(seconds=_number(value))


def _epoch_milliseconds(value: Any) -> datetime:
    return _EPOCH + timedelta(milliseconds=_number(value))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a number since 1970, as source_updated_at_format says")
    return value


_PARSERS: dict[InstantFormat, Callable[[Any], datetime]] = {
    InstantFormat.ISO: _iso,
    InstantFormat.EPOCH_SECONDS: _epoch_seconds,
    InstantFormat.EPOCH_MILLISECONDS: _epoch_milliseconds,
}
