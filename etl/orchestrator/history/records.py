"""A row of a log → a run as dw_etl_runs has it, or the reason why it is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any

import orjson

from etl.errors import EtlError
from etl.nearest import suggestion
from etl.orchestrator.database.filling import fingerprint_of_text
from etl.orchestrator.values import ErrorType, RunStatus
from etl.redaction import redact

COLUMNS = (
    "line",
    "job_id",
    "status",
    "scheduled_at",
    "interval_from",
    "interval_until",
    "started_at",
    "ended_at",
    "parameters",
    "parameter_fingerprint",
    "correlation_id",
    "cycle_id",
    "attempts",
    "maximum_attempts",
    "records_read",
    "records_written",
    "exit_code",
    "error_class",
    "error_type",
    "error_message",
    "is_transient_error",
    "worker_id",
    "requested_by",
    "reason",
    "metrics",
)
"""Of what is imported, in the order of the temporary table."""

KNOWN = frozenset((*COLUMNS, "slug", "job")) - {"line", "job_id", "parameter_fingerprint", "maximum_attempts"}
"""What a file may have; a job is named by `slug` or `job`. Of the rest nothing is kept."""

_ENDED = tuple(str(status) for status in RunStatus if status.has_ended)
_ERROR_TYPES = frozenset(str(each) for each in ErrorType)
_TRUE, _FALSE = ("true", "t", "yes", "1"), ("false", "f", "no", "0")
_LONGEST_INTEGER = (1 << 63) - 1
_LONGEST_CODE = (1 << 31) - 1


class RejectedError(Exception):
    """The message says why the row is no run."""


@dataclass(frozen=True)
class Runs:
    """What rows are told apart by: the numbers of the jobs that there are."""

    jobs: Mapping[str, int]
    _told: dict[str, str] = field(default_factory=dict)

    def run(self, line: int, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """By COLUMNS; raises RejectedError."""
        slug = self._slug(row)
        status = _status(row)
        times = {name: _time(row, name) for name in ("scheduled_at", "interval_from", "interval_until")}
        started, ended = _time(row, "started_at"), _time(row, "ended_at")
        scheduled = times["scheduled_at"] or started
        if scheduled is None:
            raise RejectedError("expected scheduled_at or started_at, found neither")
        ended = _ended(status, scheduled, started, ended)
        if times["interval_from"] and times["interval_until"] and times["interval_from"] >= times["interval_until"]:
            raise RejectedError("expected interval_from before interval_until")
        parameters = _object(row, "parameters")
        fingerprint = _fingerprint(parameters)
        attempts = _number(row, "attempts", _LONGEST_CODE)
        attempts = int(started is not None or status in ("success", "failed")) if attempts is None else attempts
        texts = {name: _text(row, name) for name in _TEXTS}
        moments = [_moment(each) for each in (scheduled, times["interval_from"], times["interval_until"])]
        moments += [_moment(started), _moment(ended)]
        content = (slug, status, *moments, fingerprint, attempts)
        return (
            line,
            self.jobs[slug],
            status,
            *moments,
            parameters,
            fingerprint,
            texts["correlation_id"] or _correlation_id(content),
            texts["cycle_id"] or scheduled.strftime("%Y-%m-%dT%H:%M:%SZ"),
            attempts,
            max(attempts, 1),
            _number(row, "records_read"),
            _number(row, "records_written"),
            _number(row, "exit_code", _LONGEST_CODE, at_least=-_LONGEST_CODE),
            texts["error_class"],
            _error_type(texts["error_type"]),
            _masked(texts["error_message"]),
            _flag(row, "is_transient_error"),
            texts["worker_id"],
            texts["requested_by"],
            _masked(texts["reason"]) or ("skipped, as its log has it" if status == "skipped" else None),
            _object(row, "metrics"),
        )

    def _slug(self, row: Mapping[str, Any]) -> str:
        slug = _text(row, "slug") or _text(row, "job")
        if slug is None:
            raise RejectedError("expected a job's slug, found none")
        if slug not in self.jobs:
            if slug not in self._told:
                self._told[slug] = f"there is no job {slug!r}; {suggestion(slug, list(self.jobs), 'jobs')}"
            raise RejectedError(self._told[slug])
        return slug


_TEXTS = (
    "correlation_id",
    "cycle_id",
    "error_class",
    "error_type",
    "error_message",
    "worker_id",
    "requested_by",
    "reason",
)


@lru_cache(maxsize=10_000)
def _masked(text: str | None) -> str | None:
    """Others did not keep secrets out of their logs. Which say the same again and again."""
    return redact(text) if text else text


def _status(row: Mapping[str, Any]) -> str:
    status = (_text(row, "status") or "").lower()
    if status not in _ENDED:
        found = f"{status!r}, which has not ended" if status in ("queued", "running") else repr(status)
        raise RejectedError(f"expected a status of {', '.join(_ENDED)}; found {found}")
    return status


def _ended(status: str, scheduled: datetime, started: datetime | None, ended: datetime | None) -> datetime:
    if ended is None:
        if status in ("success", "failed"):
            raise RejectedError(f"expected ended_at of a run that is {status}, found none")
        return started or scheduled
    if started and ended < started:
        raise RejectedError(f"it ended before it started: {_moment(ended)} is before {_moment(started)}")
    return ended


def _time(row: Mapping[str, Any], name: str) -> datetime | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    found = _instant(value) if isinstance(value, str) else None
    if found is None:
        raise RejectedError(f"expected {name} as a time (2026-11-01T02:00:00Z), found {value!r}")
    return found


@lru_cache(maxsize=100_000)
def _instant(text: str) -> datetime | None:
    """Without an offset it is UTC."""
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _moment(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _object(row: Mapping[str, Any], name: str) -> str:
    """As JSON text."""
    value = row.get(name)
    if value is None or value == "":
        return "{}"
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    fault = _object_fault(text)
    if fault:
        raise RejectedError(f"expected {name} as a JSON object, found {fault}")
    return text


@lru_cache(maxsize=100_000)
def _object_fault(text: str) -> str:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return f"no JSON: {error}"
    if not isinstance(value, dict):
        return type(value).__name__
    return "the character NUL, which PostgreSQL cannot keep" if b"\\u0000" in orjson.dumps(value) else ""


def _fingerprint(parameters: str) -> str:
    try:
        return fingerprint_of_text(parameters)
    except EtlError as error:
        raise RejectedError(error.message) from error


def _correlation_id(content: tuple[Any, ...]) -> str:
    """The same for the same row, in whatever kind of file it stands."""
    return f"import-{sha256(orjson.dumps(content)).hexdigest()[:32]}"


def _number(row: Mapping[str, Any], name: str, at_most: int = _LONGEST_INTEGER, at_least: int = 0) -> int | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        number = int(value) if isinstance(value, str) or not isinstance(value, bool | float) else None
    except (ValueError, TypeError):
        number = None
    if number is None or not at_least <= number <= at_most:
        raise RejectedError(f"expected {name} as a whole number from {at_least}, found {value!r}")
    return number


def _flag(row: Mapping[str, Any], name: str) -> bool | None:
    value = row.get(name)
    if value is None or value == "" or isinstance(value, bool):
        return value if isinstance(value, bool) else None
    written = str(value).lower()
    if written not in (*_TRUE, *_FALSE):
        raise RejectedError(f"expected {name} as true or false, found {value!r}")
    return written in _TRUE


def _error_type(written: str | None) -> str | None:
    if written is not None and written not in _ERROR_TYPES:
        raise RejectedError(f"expected an error_type of {', '.join(sorted(_ERROR_TYPES))}; found {written!r}")
    return written


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise RejectedError(f"expected {name} as text, found {value!r}")
    if "\x00" in value:
        raise RejectedError(f"{name} has the character NUL, which PostgreSQL cannot keep")
    return value
