"""The rows of `bench.events` in kind and size, as files: one CSV and one typed Parquet file with the same content."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import parquet

from bench.events import DAYS

ROWS_AT_ONCE = 100_000
_FIRST_DAY = np.datetime64("2026-01-01", "s")
_TYPES = np.array(["page_view", "click", "scroll", "share", "comment"])
_DASHES = (8, 13, 18, 23)

SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("user_id", pa.int64()),
        ("event_type", pa.string()),
        ("created_at", pa.timestamp("us", "UTC")),
        ("event_date", pa.date32()),
        ("payload", pa.string()),
        ("amount", pa.decimal128(12, 2)),
        ("is_mobile", pa.bool_()),
    ]
)


@dataclass(frozen=True)
class EventFiles:
    """`total` is the sum of `amount`: what must be found in a store after any load."""

    csv: Path
    parquet: Path
    rows: int
    total: Decimal


def write_event_files(folder: Path, rows: int) -> EventFiles:
    """Always the same ones, keys in no order; 2,000,000 rows make about 325 MB of CSV."""
    csv, columns = folder / f"events-{rows}.csv", folder / f"events-{rows}.parquet"
    total = Decimal(0)
    with csv.open("wb") as lines, parquet.ParquetWriter(columns, SCHEMA) as writer:
        lines.write((",".join(SCHEMA.names) + "\n").encode())
        for table in _tables(rows):
            lines.writelines(_csv_lines(table))
            writer.write_table(table)
            total += pc.sum(table["amount"]).as_py()
    return EventFiles(csv, columns, rows, total)


def _tables(rows: int) -> Iterator[pa.Table]:
    for first in range(0, rows, ROWS_AT_ONCE):
        yield _events(first, min(ROWS_AT_ONCE, rows - first))


def _events(first: int, count: int) -> pa.Table:
    draw = np.random.default_rng(first)
    number = np.arange(first, first + count)
    instant = _FIRST_DAY + (number % DAYS * 86_400 + draw.integers(43_200, 86_400, count)).astype("timedelta64[s]")
    cents = pa.array(draw.integers(0, 10_000_000, count)).cast(pa.decimal128(19, 0))
    columns = [
        _uuids(draw, count),
        pa.array(draw.integers(0, 200_000, count)),
        pa.array(_TYPES[number % len(_TYPES)]),
        pa.array(instant).cast(pa.timestamp("us")).cast(pa.timestamp("us", "UTC")),
        pa.array(instant.astype("datetime64[D]")),
        _payloads(number),
        pc.multiply(cents, pa.scalar(Decimal("0.01"))).cast(pa.decimal128(12, 2)),
        pa.array(number % 3 == 0),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _uuids(draw: np.random.Generator, count: int) -> pa.Array:
    digits = np.frombuffer(draw.bytes(16 * count).hex().encode(), np.uint8).reshape(count, 32)
    text = np.insert(digits, [place - index for index, place in enumerate(_DASHES)], ord("-"), axis=1)
    offsets = np.arange(0, 36 * (count + 1), 36, dtype=np.int32)
    return pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text.tobytes()))


def _payloads(number: np.ndarray) -> pa.Array:
    article = pc.utf8_lpad(pa.array(number % 99_991).cast(pa.string()), 5, "0")
    dwell = pa.array(number % 7_919).cast(pa.string())
    parts = ('{"path":"/articles/', article, '","src":"app","dwell":', dwell, "}", "")
    return pc.binary_join_element_wise(*parts)


def _csv_lines(table: pa.Table) -> list[bytes]:
    """Only the payload needs quotes; written by hand because pyarrow's writer quotes every text."""
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(table["payload"], '"', '""'), '"', "")
    plain = table.set_column(table.schema.get_field_index("payload"), "payload", quoted)
    naive = plain["created_at"].cast(pa.timestamp("s", "UTC")).cast(pa.timestamp("s")).cast(pa.string())
    instant = pc.binary_join_element_wise(naive, "+00", "")
    plain = plain.set_column(table.schema.get_field_index("created_at"), "created_at", instant)
    fields = pc.binary_join_element_wise(*(column.cast(pa.string()) for column in plain.columns), ",")
    return [("\n".join(fields.to_pylist()) + "\n").encode()]
