"""A small frame, brought to the driver."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.load.base import Brought, LoadFacts
from etl.load.s3.frames import (
    DAY_BESIDE,
    HASH_BESIDE,
    LOW_HALF,
    Content,
    digest_text,
    refuse_keys,
    refuse_undated,
    row_digest,
)
from etl.model import PARTITION_DATE

_HIGH, _LOW = "_etl_high", "_etl_low"


def collect(
    frame: DataFrame, config: S3TableLoadConfig, facts: LoadFacts | None, brought: Brought | None
) -> tuple[pa.Table, Content]:
    """As `examine`, with the rows in memory: brought already, or by one Spark job. The digest is Spark's own, whoever
    writes."""
    if facts is None:
        refuse_keys(frame, config)
    if brought is not None and HASH_BESIDE in brought.beside.column_names:
        rows, digest = _unfolded(brought, arrow_schema(frame.schema))
    else:
        rows, digest = _collected(frame)
    if not config.partition_by:
        return rows, Content(rows.num_rows, digest, frozenset())
    days = rows.column(PARTITION_DATE)
    refuse_undated(config, days.null_count, rows.num_rows)
    return rows, Content(rows.num_rows, digest, frozenset(pc.unique(days).to_pylist()))


def _unfolded(brought: Brought, schema: pa.Schema) -> tuple[pa.Table, str]:
    rows, hashes = brought.rows, brought.beside.column(HASH_BESIDE)
    if DAY_BESIDE in brought.beside.column_names:
        rows = rows.append_column(PARTITION_DATE, brought.beside.column(DAY_BESIDE))
    bits = pa.chunked_array([chunk.view(pa.uint64()) for chunk in hashes.chunks], pa.uint64())
    high, low = (
        pc.shift_right(bits, pa.scalar(32, pa.uint64())),
        pc.bit_wise_and(bits, pa.scalar(LOW_HALF, pa.uint64())),
    )
    return rows.cast(schema).combine_chunks(), digest_text(rows.num_rows, pc.sum(high).as_py(), pc.sum(low).as_py())


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
