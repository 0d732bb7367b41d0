"""The report that `--report FILE` asks for; its fields are described by docs/report.schema.json."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from etl.errors import UsageError
from etl.files.writing import whole
from etl.report.values import RunReport


def report_document(report: RunReport) -> dict[str, Any]:
    """Plain values, as they stand in the file."""
    return {
        "run_id": report.run_id,
        "status": str(report.status),
        "started_at": _instant(report.started_at),
        "finished_at": _instant(report.finished_at),
        "rejects": report.rejects,
        "retries": report.retries,
        "loads": [asdict(load) for load in report.loads],
        "maintenance": [
            asdict(one) | {"deleted_before": one.deleted_before and one.deleted_before.isoformat()}
            for one in report.maintenance
        ],
    }


def write_report(report: RunReport, path: Path) -> None:
    """Whole or not at all: a reader sees the former report or this one."""
    text = orjson.dumps(report_document(report), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    try:
        with whole(path) as file:
            os.fchmod(file.fileno(), 0o644)  # whatever the umask: others watch the run
            file.write(text)
    except OSError as error:
        raise UsageError(f"--report {path}: cannot be written ({error.strerror}); name a writable file") from error


def check_report_path(path: Path) -> None:
    """Says before the run that the report could not be written after it."""
    if path.is_dir() or not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
        raise UsageError(f"--report {path}: expected a file in a folder that exists and is writable; name another file")


def _instant(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
