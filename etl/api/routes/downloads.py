"""Files of a run, streamed as they are read: whatever their size, memory holds a page."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from etl.api.downloads import Download
from etl.api.models import Role
from etl.api.reading import files
from etl.api.routes.access import Asked, RunIdPath, Viewer

router = APIRouter(prefix="/runs/{etl_run_id}", tags=["downloads"])


class FileFormat(StrEnum):
    NDJSON = "ndjson"
    CSV = "csv"


Format = Annotated[
    FileFormat, Query(description="CSV: cells that a spreadsheet would take for a formula begin with '.")
]

_TEXT: dict[str, Any] = {"schema": {"type": "string"}}
NDJSON: dict[int | str, dict[str, Any]] = {200: {"content": {"application/x-ndjson": _TEXT}}}
CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": _TEXT}}}
EITHER: dict[int | str, dict[str, Any]] = {200: {"content": {"application/x-ndjson": _TEXT, "text/csv": _TEXT}}}


@router.get("/logs", response_class=StreamingResponse, responses=NDJSON)
def download_logs(etl_run_id: RunIdPath, services: Asked, user: Viewer) -> Download:
    """The log of the run and of all its batches, a line an entry."""
    pages = files.logs(services.downloads, etl_run_id, is_for_operator=user.role is Role.OPERATOR)
    return Download(pages, f"{etl_run_id}-logs", None)


@router.get("/metrics", response_class=StreamingResponse, responses=CSV)
def download_metrics(etl_run_id: RunIdPath, services: Asked, _: Viewer) -> Download:
    """A line a batch."""
    return Download(files.metrics(services.downloads, etl_run_id), f"{etl_run_id}-metrics", files.METRICS)


@router.get("/rejects", response_class=StreamingResponse, responses=EITHER)
def download_rejects(etl_run_id: RunIdPath, services: Asked, _: Viewer, format: Format = FileFormat.NDJSON) -> Download:
    """Records that could not be stored, with their place and the reason."""
    return Download(
        files.rejects(services.downloads, etl_run_id), f"{etl_run_id}-rejects", _columns(format, files.REJECTS)
    )


@router.get("/invalid", response_class=StreamingResponse, responses=EITHER)
def download_invalid_records(
    etl_run_id: RunIdPath, services: Asked, _: Viewer, format: Format = FileFormat.NDJSON
) -> Download:
    """Records of this run that are stored and invalid, with their faults."""
    return Download(
        files.invalid_records(services.downloads, etl_run_id), f"{etl_run_id}-invalid", _columns(format, files.INVALID)
    )


def _columns(format: FileFormat, columns: Sequence[str]) -> Sequence[str] | None:
    return columns if format is FileFormat.CSV else None
