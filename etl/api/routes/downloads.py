"""Files of a run, streamed as they are read: whatever their size, memory holds a page."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from etl.api.downloads import Download, Pages
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


class Files:
    """Of one run, for one user."""

    def __init__(self, etl_run_id: RunIdPath, services: Asked, user: Viewer) -> None:
        self.run_id, self.database, self.user = etl_run_id, services.downloads, user
        self._seats = services.seats

    def download(self, pages: Pages, name: str, columns: Sequence[str] | None) -> Download:
        return Download(self._seated(pages), f"{self.run_id}-{name}", columns)

    def _seated(self, pages: Pages) -> Pages:
        """From the first page until the last, or until they are let go."""
        with self._seats.taken_by(self.user.name), closing(pages):
            yield from pages


OfRun = Annotated[Files, Depends()]


@router.get("/logs", response_class=StreamingResponse, responses=NDJSON)
def download_logs(of_run: OfRun) -> Download:
    """The log of the run and of all its batches, a line an entry."""
    is_for_operator = of_run.user.role is Role.OPERATOR
    return of_run.download(files.logs(of_run.database, of_run.run_id, is_for_operator=is_for_operator), "logs", None)


@router.get("/metrics", response_class=StreamingResponse, responses=CSV)
def download_metrics(of_run: OfRun) -> Download:
    """A line a batch."""
    return of_run.download(files.metrics(of_run.database, of_run.run_id), "metrics", files.METRICS)


@router.get("/rejects", response_class=StreamingResponse, responses=EITHER)
def download_rejects(of_run: OfRun, format: Format = FileFormat.NDJSON) -> Download:
    """Records that could not be stored, with their place and the reason."""
    return of_run.download(files.rejects(of_run.database, of_run.run_id), "rejects", _columns(format, files.REJECTS))


@router.get("/invalid", response_class=StreamingResponse, responses=EITHER)
def download_invalid_records(of_run: OfRun, format: Format = FileFormat.NDJSON) -> Download:
    """Records of this run that are stored and invalid, with their faults."""
    return of_run.download(
        files.invalid_records(of_run.database, of_run.run_id), "invalid", _columns(format, files.INVALID)
    )


def _columns(format: FileFormat, columns: Sequence[str]) -> Sequence[str] | None:
    return columns if format is FileFormat.CSV else None
