"""A small frame, brought to the driver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.load.base import LoadFacts
from etl.load.s3.driver.row_hash import is_hashable, row_hashes
from etl.load.s3.frames import (
    LOW_HALF,
    Content,
    digest_text,
    refuse_keys,
    refuse_undated,
    row_digest,
)
from etl.model import PARTITION_DATE
from etl.spark.local_frame import held_rows

_HIGH, _LOW = "_etl_high", "_etl_low"


def collect(frame: DataFrame, config: S3TableLoadConfig, facts: LoadFacts | None) -> tuple[pa.Table, Content]:
    """As `examine`, with the rows in memory: held already, or by one Spark job. The digest is the same, whoever
    writes."""
    if facts is None:
        refuse_keys(frame, config)
    held = held_rows(frame)
    is_hashed_here = held is not None and is_hashable(frame.schema)
    rows, digest = _hashed(held, frame.schema) if is_hashed_here else _collected(frame)
    if not config.partition_by:
        return rows, Content(rows.num_rows, digest, frozenset())
    days = rows.column(PARTITION_DATE)
    refuse_undated(config, days.null_count, rows.num_rows)
    return rows, Content(rows.num_rows, digest, frozenset(pc.unique(days).to_pylist()))


def rows_of(frame: DataFrame) -> pa.Table:
    """A small frame's rows in memory."""
    held = held_rows(frame)
    rows = frame.toArrow() if held is None else held
    return rows.cast(arrow_schema(frame.schema)).combine_chunks()


def _hashed(held: pa.Table, schema: StructType) -> tuple[pa.Table, str]:
    rows = held.cast(arrow_schema(schema)).combine_chunks()
    hashes = row_hashes(rows, schema)
    high, low = (hashes >> np.uint64(32)).sum(), (hashes & np.uint64(LOW_HALF)).sum()
    return rows, digest_text(rows.num_rows, int(high), int(low))


def _collected(frame: DataFrame) -> tuple[pa.Table, str]:
    high, low = row_digest(frame.schema)
    names = frame.columns
    found = frame.select("*", high.alias(_HIGH), low.alias(_LOW)).toArrow()
    rows = found.select(range(len(names))).cast(arrow_schema(frame.schema)).combine_chunks()
    return rows, digest_text(rows.num_rows, *(pc.sum(found.column(len(names) + half)).as_py() for half in (0, 1)))


def arrow_schema(schema: StructType) -> pa.Schema:
    """Of rows in memory, wherever they come from: what may not be NULL Spark's schema says alone."""
    kinds = to_arrow_schema(schema, timezone="UTC")
    return pa.schema([pa.field(kind.name, _of_any(kind.type)) for kind in kinds])


def _of_any(kind: pa.DataType) -> pa.DataType:
    """The type whose items and fields may be NULL."""
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, _of_any(kind.item_type))
    if pa.types.is_list(kind):
        return pa.list_(_of_any(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([pa.field(field.name, _of_any(field.type)) for field in kind])
    return kind


@dataclass(frozen=True)
class Piece:
    """The rows of one file: of one day, or of a table without days."""

    day: date | None
    rows: pa.Table


def pieces_of(rows: pa.Table, *, partitioned: bool) -> list[Piece]:
    """A file a day, without `partition_date`, which its folder says."""
    if not partitioned:
        return [Piece(None, rows)] if rows.num_rows else []
    ordered = rows.take(pc.sort_indices(rows.column(PARTITION_DATE)))
    days = ordered.column(PARTITION_DATE).to_pylist()
    whole = ordered.drop_columns([PARTITION_DATE])
    return [Piece(days[begin], whole.slice(begin, end - begin)) for begin, end in _runs(days)]


def _runs(values: Sequence[date | None]) -> Iterator[tuple[int, int]]:
    begin = 0
    for place in range(1, len(values) + 1):
        if place == len(values) or values[place] != values[begin]:
            yield begin, place
            begin = place
