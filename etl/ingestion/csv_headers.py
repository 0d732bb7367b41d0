"""Which columns of a file become which columns of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from etl.ingestion.csv_errors import CsvError, readable, shortened
from etl.ingestion.model import Header, StagedColumn


@dataclass(frozen=True)
class FileColumns:
    """`names` are what messages call the file's columns; `staged` how they travel. Both in the file's order."""

    names: tuple[str, ...]
    staged: tuple[StagedColumn, ...]


def columns_by_name(path: Path, names: Sequence[str], headers: Sequence[Header], line: int) -> FileColumns:
    """Names compare exactly. Raises CsvError where the file's header names one twice or none that is asked for."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        message = f"expected each column of the header once, found more than once: {_listed(twice)}; rename one"
        raise CsvError(path, message, line=line)
    asked = {header.name for header in headers}
    if asked.isdisjoint(names):
        message = f"expected a header with some of {_listed(sorted(asked))}, found {_listed(names)}"
        raise CsvError(path, f"{message}; is it a file without a header (--no-header)?", line=line)
    return FileColumns(tuple(names), _staged(names, asked))


def columns_by_position(headers: Sequence[Header]) -> FileColumns:
    names = tuple(header.name for header in headers)
    return FileColumns(names, tuple(StagedColumn(name, "text", name) for name in names))


def header_name(field: bytes | None, path: Path, line: int) -> str:
    try:
        return (field or b"").decode()
    except UnicodeDecodeError as error:
        message = "expected a header in UTF-8; name the file's own encoding with --encoding"
        raise CsvError(path, message, line=line, value=readable(field or b"")) from error


def _staged(names: Sequence[str], asked: set[str]) -> tuple[StagedColumn, ...]:
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
