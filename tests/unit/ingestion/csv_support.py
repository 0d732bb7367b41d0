"""CSV files of a test's own and what a source makes of them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from etl.ingestion.csv.ingestor import open_csv
from etl.ingestion.csv.source import CsvSource
from etl.ingestion.model import BadRows, Batch, CopyPath, CsvBytes, CsvOptions, Header, Reject
from etl.ingestion.source import row_of

Row = tuple[str | None, ...]
WITHOUT_HEADER = CsvOptions(has_header=False)


@dataclass(frozen=True)
class Loaded:
    """What would be loaded: each row with its line and its number in the file, and what was rejected."""

    rows: list[Row]
    lines: list[int]
    numbers: list[int]
    rejects: list[Reject]
    batches: list[Batch]

    @property
    def sizes(self) -> list[int]:
        return [batch.rows or 0 for batch in self.batches]

    @property
    def payload(self) -> bytes:
        return b"".join(batch.payload.data for batch in self.batches if isinstance(batch.payload, CsvBytes))


def write(folder: Path, data: bytes, name: str = "rows.csv") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def source_of(
    path: Path,
    columns: str | int,
    options: CsvOptions | None = None,
    *,
    chunk_size: int = 1000,
    bad_rows: BadRows = BadRows.FAIL,
    copy_path: CopyPath = CopyPath.AUTO,
    maximum_bytes: int = 1 << 20,
) -> CsvSource:
    """`columns`: names with spaces between them, or how many."""
    names = columns.split() if isinstance(columns, str) else [f"c{place}" for place in range(columns)]
    headers = [Header(name) for name in names]
    return open_csv(
        path,
        headers,
        options or CsvOptions(),
        chunk_size=chunk_size,
        bad_rows=bad_rows,
        copy_path=copy_path,
        maximum_bytes=maximum_bytes,
    )


def load(source: CsvSource, skip: Collection[int] = (), *, is_checked: bool = True) -> Loaded:
    """Every batch as it comes, or (`is_checked`) as the exact path leaves it."""
    batches = [source.checked(batch) if is_checked else batch for batch in source.batches(skip)]
    source.close()
    places = [(batch, place) for batch in batches for place in range(batch.rows or 0)]
    return Loaded(
        rows=[source.record_of(batch, place) for batch, place in places],
        lines=[source.line_of(batch, place) for batch, place in places],
        numbers=[row_of(batch, place) for batch, place in places],
        rejects=[reject for batch in batches for reject in batch.rejects],
        batches=batches,
    )
