"""What a Delta log says of a file's columns, so that readers can pass it over: as Delta's own writer says it.

https://github.com/delta-io/delta/blob/master/PROTOCOL.md#per-file-statistics
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

_INDEXED_COLUMNS = 32
"""Delta's default; a table that says otherwise is Spark's to write."""
_TEXT_LENGTH = 32
_LAST_CHARACTER = "\U0010ffff"
"""No text that a cut one begins is above the cut with it behind."""


def statistics(rows: pa.Table) -> str:
    """JSON: rows, NULLs of each column, and the bounds of those that have an order readers rely on."""
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    nulls: dict[str, int] = {}
    for name in rows.column_names[:_INDEXED_COLUMNS]:
        column = rows.column(name)
        if pa.types.is_struct(column.type):
            continue
        nulls[name] = column.null_count
        if bounds := _bounds(column):
            least[name], greatest[name] = bounds
    facts = {"numRecords": rows.num_rows, "minValues": least, "maxValues": greatest, "nullCount": nulls}
    return orjson.dumps(facts).decode()


def _bounds(column: pa.ChunkedArray) -> tuple[Any, Any] | None:
    write = _writer(column.type)
    if write is None or column.null_count == len(column) or _has_nan(column):
        return None
    try:
        found = pc.min_max(column).as_py()
    except (ValueError, OverflowError):  # a time that Python's calendar has no word for
        return None
    low, high = write(found["min"], False), write(found["max"], True)
    return None if low is None or high is None else (low, high)


def _writer(kind: pa.DataType) -> Callable[[Any, bool], Any] | None:
    """From a bound (and whether it is the upper one) to JSON; None for types without bounds."""
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _number
    if pa.types.is_decimal(kind):
        return _decimal
    if pa.types.is_string(kind):
        return _text
    if pa.types.is_date(kind):
        return _day
    return _instant if pa.types.is_timestamp(kind) else None


def _number(value: Any, is_upper: bool) -> Any:
    # JSON has no infinity
    return None if value in (float("inf"), float("-inf")) else value


def _decimal(value: Decimal, is_upper: bool) -> orjson.Fragment:
    return orjson.Fragment(f"{value:f}")


def _text(value: str, is_upper: bool) -> str:
    if len(value) <= _TEXT_LENGTH:
        return value
    return value[:_TEXT_LENGTH] + (_LAST_CHARACTER if is_upper else "")


def _day(value: date, is_upper: bool) -> str:
    return value.isoformat()


def _instant(value: datetime, is_upper: bool) -> str | None:
    """To the millisecond, as Delta's are: rounded down, the upper bound up."""
    try:
        whole = value.astimezone(UTC) + timedelta(microseconds=999 if is_upper else 0)
    except OverflowError:
        return None
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{whole.microsecond // 1000:03d}Z".rjust(24, "0")


def _has_nan(column: pa.ChunkedArray) -> bool:
    """Which is above all other numbers, and not in JSON."""
    return pa.types.is_floating(column.type) and bool(pc.any(pc.is_nan(column)).as_py())
