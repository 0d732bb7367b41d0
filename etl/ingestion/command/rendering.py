"""Reports, the manifest and rejects: for the eye, and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from etl.ingestion.model import BatchCounts, FileResult, FileStatus, UploadReport
from etl.ingestion.upload.manifest import ManifestFile, RejectedRow
from etl.redaction import redact

MOST_FILES = 40
_COUNTS = ("inserted", "updated", "unchanged", "rejected", "deduplicated")
_STYLES = {
    FileStatus.SUCCESS: "green",
    FileStatus.FAILED: "red",
    FileStatus.SKIPPED: "dim",
    FileStatus.PENDING: "yellow",
}


def print_summary(report: UploadReport, console: Console, *, is_dry_run: bool = False) -> None:
    """A line a file (the failed ones first where there are many) and their sums."""
    shown = sorted(report.files, key=lambda file: file.status is not FileStatus.FAILED)[:MOST_FILES]
    table = Table("file", "status", *_right("read", *_COUNTS, "seconds"), box=None, pad_edge=False)
    for file in shown:
        table.add_row(escape(file.path), _styled(file.status), *_numbers(file.counts), f"{file.seconds:.1f}")
    if len(report.files) > len(shown):
        table.add_row(f"… and {len(report.files) - len(shown):,} more", "")
    if len(report.files) > 1:
        table.add_row("all", "", *_numbers(report.counts), f"{report.seconds:.1f}", style="bold")
    console.print(table)
    for file in shown:
        if file.notes:
            _print(console, told_notes(file.path, file.notes))
    if report.notes:
        _print(console, redact(report.notes))
    _print(console, _conclusion(report, is_dry_run))


def told_notes(path: str, notes: str) -> str:
    """Most notes begin with the file's path already."""
    told = redact(notes)
    return told if told.startswith(path) else f"{path}: {told}"


def report_json(report: UploadReport) -> dict[str, Any]:
    return {
        "run_id": report.run_id,
        "table": report.table,
        "status": "success" if report.is_success else "failed",
        "seconds": round(report.seconds, 3),
        "retries": report.retries,
        "notes": redact(report.notes),
        **asdict(report.counts),
        "files": [_file_json(file) for file in report.files],
    }


def print_files(files: Sequence[ManifestFile], console: Console) -> None:
    table = Table("file", "table", "status", *_right("rows", "rejected", "batches"), "processed at", "run")
    for file in files:
        table.add_row(
            escape(file.filename),
            escape(file.table),
            _styled(file.status),
            f"{file.rows:,}",
            f"{file.rejected:,}",
            f"{file.batches:,}",
            f"{file.processed_at:%Y-%m-%d %H:%M:%S}",
            escape(file.run_id),
        )
    console.print(table)
    for file in files:
        if file.notes:
            _print(console, told_notes(file.filename, file.notes))


def print_rejects(rejects: Sequence[RejectedRow], console: Console) -> None:
    table = Table(*_right("line", "row"), "column", "value", "reason")
    for reject in rejects:
        places = ("" if place is None else f"{place:,}" for place in (reject.line, reject.row))
        table.add_row(*places, *(escape(text or "") for text in (reject.column, reject.value, reject.reason)))
    console.print(table)


def manifest_json(files: Sequence[ManifestFile], rejects: Sequence[RejectedRow] = ()) -> dict[str, Any]:
    return {"files": [asdict(file) for file in files], "rejects": [asdict(reject) for reject in rejects]}


def _file_json(file: FileResult) -> dict[str, Any]:
    return {
        "path": file.path,
        "file_type": file.file_type,
        "status": file.status,
        "batches": file.batches,
        "seconds": round(file.seconds, 3),
        **asdict(file.counts),
        "notes": redact(file.notes),
    }


def _conclusion(report: UploadReport, is_dry_run: bool) -> str:
    failed = sum(file.status is FileStatus.FAILED for file in report.files)
    rate = report.counts.rows_read / report.seconds if report.seconds else 0.0
    told = f"run {report.run_id}: {report.counts.rows_read:,} rows in {report.seconds:.1f} s ({rate:,.0f}/s)"
    told += f", {report.retries} retries" if report.retries else ""
    told += f"; {failed} of {len(report.files)} files failed" if failed else ""
    if is_dry_run:
        return f"{told}; a dry run: nothing was written"
    return f"{told}; next: uploader retry-failed --table {report.table}" if failed else told


def _numbers(counts: BatchCounts) -> list[str]:
    return [f"{value:,}" for value in (counts.rows_read, *(getattr(counts, f"rows_{name}") for name in _COUNTS))]


def _right(*names: str) -> list[Any]:
    return [Column(name, justify="right") for name in names]


def _styled(status: FileStatus) -> str:
    return f"[{_STYLES[status]}]{status}[/]"


def _print(console: Console, text: str) -> None:
    console.print(text, highlight=False, markup=False, soft_wrap=True)
