"""Which columns of a file become which columns of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from etl.ingestion.csv.cutter import RecordCutter
from etl.ingestion.csv.errors import CsvError, readable, shortened
from etl.ingestion.csv.records import Malformed, Record
from etl.ingestion.model import Header, StagedColumn
from etl.ingestion.upload.absent_columns import next_step


@dataclass(frozen=True)
class FileColumns:
    """`names` are what messages call the file's columns; `staged` how they travel. Both in the file's order."""

    names: tuple[str, ...]
    staged: tuple[StagedColumn, ...]


def first_record(cutter: RecordCutter, path: Path) -> Record | None:
    """The header, None in an empty file. Raises CsvError for one that cannot be read."""
    record = cutter.first_record()
    if isinstance(record, Malformed):
        raise CsvError(path, record.reason, line=record.fault_line, value=readable(record.value))
    return record


def names_of(record: Record, path: Path) -> tuple[str, ...]:
    return tuple(_name(field, path, record.line) for field in record.fields)


def columns_by_name(path: Path, names: Sequence[str], headers: Sequence[Header], line: int) -> FileColumns:
    """Names compare exactly. Raises CsvError where the file's header names one twice that is asked for, or none."""
    asked = {header.name: None for header in headers}
    twice = [name for name, count in Counter(names).items() if count > 1 and name in asked]
    if twice:
        message = f"expected each column of the header once, found more than once: {_listed(twice)}; rename one"
        raise CsvError(path, message, line=line)
    if asked.keys().isdisjoint(names):
        message = f"expected a header with some of {_listed(list(asked))}, found {_listed(names)}"
        raise CsvError(path, f"{message}; {next_step(list(asked), names)}", line=line)
    return FileColumns(tuple(names), _staged(names, asked))


def columns_by_position(headers: Sequence[Header]) -> FileColumns:
    names = tuple(header.name for header in headers)
    return FileColumns(names, tuple(StagedColumn(name, "text", name) for name in names))


def _name(field: bytes | None, path: Path, line: int) -> str:
    try:
        return (field or b"").decode()
    except UnicodeDecodeError as error:
        message = "expected a header in UTF-8; name the file's own encoding with --encoding"
        raise CsvError(path, message, line=line, value=readable(field or b"")) from error


def _staged(names: Sequence[str], asked: Collection[str]) -> tuple[StagedColumn, ...]:
    """COPY cannot leave a column of the file out, so one that nobody asked for gets a name of its own: the file's may
    be anything."""
    prefix = "_"
    while any(name.startswith(f"{prefix}unread_") for name in asked):
        prefix += "_"
    return tuple(
        StagedColumn(name, "text", name) if name in asked else StagedColumn(f"{prefix}unread_{place}", "text", None)
        for place, name in enumerate(names, start=1)
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{shortened(name)}"' for name in names)
