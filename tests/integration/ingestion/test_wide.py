"""As many columns as a table of PostgreSQL can have, in every mode."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.ingestion.model import BadRows, CopyPath, FileStatus, Header, Mode
from tests.integration.ingestion.conftest import Uploads, order_of, told

pytestmark = pytest.mark.stack

MOST = 1600
ROWS = 12
NAMES = ["id", *(f"c{place}" for place in range(1, MOST))]
HEADERS = tuple(Header(name, "integer") for name in NAMES)


def values(shift: int) -> list[list[int]]:
    """Of five digits: as text such a row does not fit a page, in its own types it does."""
    return [[row, *(10_000 + row + place + shift for place in range(1, MOST))] for row in range(ROWS)]


def csv_file(uploads: Uploads, name: str, shift: int, bad: dict[tuple[int, int], str] | None = None) -> Path:
    rows: list[list[Any]] = [list(row) for row in values(shift)]
    for (row, place), value in (bad or {}).items():
        rows[row][place] = value
    return uploads.csv(name, ",".join(NAMES), *(",".join(map(str, row)) for row in rows))


@pytest.fixture
def wide(uploads: Uploads) -> Iterator[Uploads]:
    """Its table is made by the first load. Dropped at the end, since it takes thousands of rows of the catalog."""
    yield uploads
    uploads.execute("DROP TABLE IF EXISTS t")


def load(uploads: Uploads, file: Path, **options: Any) -> dict[str, int]:
    result = uploads.load_one(file, headers=HEADERS, preserve_types=True, **options)
    assert result.status is FileStatus.SUCCESS, result.notes[:300]
    counts = {name: count for name, count in vars(result.counts).items() if count}
    return counts if options.get("dry_run") else told(result.counts)


def test_csv(wide: Uploads) -> None:
    first, second = csv_file(wide, "a.csv", 0), csv_file(wide, "b.csv", 1)
    bad = csv_file(wide, "c.csv", 2, {(3, MOST - 1): "x", (5, 7): "y", (5, 9): "z", (8, 0): ""})
    assert load(wide, first, dry_run=True) == {"rows_read": ROWS}
    assert load(wide, first) == {"read": ROWS, "inserted": ROWS}
    assert load(wide, first) == {"read": ROWS, "unchanged": ROWS}
    assert load(wide, second, dedup_order_by=order_of("c1")) == {"read": ROWS, "updated": ROWS}
    refused = wide.load_one(bad, headers=HEADERS, bad_rows=BadRows.REJECT, maximum_rejected="2")
    assert "expected at most 2 of the 12 rows read to be bad (--maximum-rejected), found 3" in refused.notes
    assert load(wide, bad, bad_rows=BadRows.REJECT) == {"read": ROWS, "updated": ROWS - 3, "rejected": 3}
    where = "SELECT line, column_name, value FROM ingestion_rejects JOIN ingestion_manifest USING (load_id) ORDER BY 1"
    assert wide.execute(where) == [(5, f"c{MOST - 1}", "x"), (7, "c7", "y"), (10, "id", None)]
    assert wide.execute("SELECT id FROM t WHERE c1 = id + 10001 + 2 ORDER BY 1") == [
        (row,) for row in range(ROWS) if row not in (3, 5, 8)
    ]
    wide.execute("ALTER TABLE t DROP CONSTRAINT t_pkey")
    assert load(wide, first, mode=Mode.APPEND) == {"read": ROWS, "inserted": ROWS}


def test_parquet(wide: Uploads) -> None:
    for shift, name in enumerate("ab"):
        columns = [pa.array(column, pa.int32()) for column in zip(*values(shift), strict=True)]
        pq.write_table(pa.table(columns, NAMES), wide.folder / f"{name}.parquet")
    first, second = wide.folder / "a.parquet", wide.folder / "b.parquet"
    assert load(wide, first) == {"read": ROWS, "inserted": ROWS}
    assert load(wide, first, copy_path=CopyPath.RECORDS) == {"read": ROWS, "unchanged": ROWS}
    assert load(wide, second) == {"read": ROWS, "updated": ROWS}


def test_what_has_no_place_is_refused_in_words(wide: Uploads) -> None:
    names = [*NAMES, "one_more"]
    wider = wide.csv("a.csv", ",".join(names), ",".join("1" for _ in names))
    few = {"headers": HEADERS[:2], "preserve_types": True}
    assert "expected at most 1,600 columns, found 1,601; COPY takes no more" in wide.load_one(wider, **few).notes
    wide.execute("DROP TABLE t")
    as_text = wide.load_one(
        csv_file(wide, "b.csv", 0), headers=HEADERS, preserve_types=True, copy_path=CopyPath.RECORDS
    )
    assert "row is too big" in as_text.notes
    assert "load fewer columns at once" in as_text.notes
    assert wide.execute("SELECT count(*) FROM t") == [(0,)]
