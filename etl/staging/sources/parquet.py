"""Parquet rows as JSON: decimals with all their digits, instants in ISO 8601, bytes in base64.

NaN and infinity, for which JSON has no word, become null.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from etl.errors import SourceError
from etl.staging.sources.base import BATCH_BYTES, Place, Slice, numbered_slices

ROWS_AT_ONCE = 1000


@dataclass(frozen=True)
class ParquetFormat:
    def slices(
        self, stream: BinaryIO, size: int, start: Place | None = None, size_bytes: int = BATCH_BYTES
    ) -> Iterator[Slice]:
        return numbered_slices(_records(stream, start["row"] if start else 0), size, start, size_bytes)

    def locate(self, position: dict[str, Any], number: int) -> dict[str, Any]:
        return {"row": position["start"]["row"] + number + 1}


def _records(stream: BinaryIO, first: int) -> Iterator[bytes]:
    try:
        file = pq.ParquetFile(stream)
        _refuse_ambiguous(file.schema_arrow.names)
        groups, skipped = _groups_from(file.metadata, first)
        for batch in file.iter_batches(batch_size=ROWS_AT_ONCE, row_groups=groups):
            for row in batch.slice(skipped).to_pylist(maps_as_pydicts="strict"):
                yield orjson.dumps(row, default=_json, option=orjson.OPT_NON_STR_KEYS)
            skipped = max(0, skipped - batch.num_rows)
    except (pa.ArrowException, ValueError, OverflowError, orjson.JSONEncodeError) as error:
        raise SourceError(f"not a Parquet file that can be read as JSON: {error}") from error


def _groups_from(metadata: pq.FileMetaData, first: int) -> tuple[list[int], int]:
    """The row groups that hold a row and those behind it, and how many rows to pass over in the first of them."""
    for group in range(metadata.num_row_groups):
        rows = metadata.row_group(group).num_rows
        if first < rows:
            return list(range(group, metadata.num_row_groups)), first
        first -= rows
    return [], 0


def _refuse_ambiguous(names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SourceError(f"expected each column once, found {twice[0]!r} again")


def _json(value: Any) -> Any:
    """What orjson does not write by itself."""
    if isinstance(value, Decimal):
        return orjson.Fragment(format(value, "f"))
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if hasattr(value, "isoformat"):  # instants with nanoseconds, which datetime cannot hold
        return value.isoformat()
    raise TypeError(f"no JSON for {type(value).__name__}")
