"""Arrow batches as COPY wants them: PostgreSQL's binary format, or CSV. Runs on executors."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from pgpq import ArrowToPostgresBinaryEncoder, encoders

from etl.arrow import wire
from etl.arrow.values import BadValues
from etl.errors import DataError
from etl.load.postgresql.transfer.carriers import wire_of
from etl.statements.postgresql.naming import ATTEMPT, StagedColumn


def encode(
    batches: Iterator[pa.RecordBatch],
    columns: tuple[StagedColumn, ...],
    attempt: int,
    copy_format: Literal["binary", "csv"],
) -> Iterator[bytes]:
    """The bytes of one COPY; the attempt's number goes before each row."""
    if copy_format == "csv":
        return _encode_csv(batches, columns, attempt)
    return _encode_binary(batches, columns, attempt)


def _encode_binary(
    batches: Iterator[pa.RecordBatch], columns: tuple[StagedColumn, ...], attempt: int
) -> Iterator[bytes]:
    encoder: ArrowToPostgresBinaryEncoder | None = None
    for batch in batches:
        ready = _with_attempt([_wire(batch.column(i), column) for i, column in enumerate(columns)], columns, attempt)
        if encoder is None:
            encoder = _encoder(ready.schema, columns)
            yield encoder.write_header()
        yield _write(encoder, ready)
    if encoder is not None:
        yield encoder.finish()


def _write(encoder: ArrowToPostgresBinaryEncoder, batch: pa.RecordBatch) -> bytes:
    try:
        return encoder.write_batch(batch)
    except (ValueError, RuntimeError) as error:
        raise DataError(
            f"expected values within PostgreSQL's ranges, found one beyond them: {error}; "
            "reject such rows in the table's `transform` entry (`rules`)"
        ) from error


def _encoder(schema: pa.Schema, columns: tuple[StagedColumn, ...]) -> ArrowToPostgresBinaryEncoder:
    builders: dict[str, Any] = {ATTEMPT: encoders.Int64EncoderBuilder(schema.field(0))}
    for position, column in enumerate(columns, start=1):
        field = schema.field(position)
        builders[field.name] = wire_of(column.carrier).builder(field)
    return ArrowToPostgresBinaryEncoder.new_with_encoders(schema, builders)


def _with_attempt(arrays: list[pa.Array], columns: tuple[StagedColumn, ...], attempt: int) -> pa.RecordBatch:
    rows = len(arrays[0])
    numbers = pa.array(np.full(rows, attempt, dtype=np.int64))
    return pa.RecordBatch.from_arrays([numbers, *arrays], names=[ATTEMPT, *(column.name for column in columns)])


def _wire(array: pa.Array, column: StagedColumn) -> pa.Array:
    """The array in the Arrow type whose encoding the carrier reads."""
    if column.carrier == "uuid":
        return _uuids(array, column.name)
    arrow = wire_of(column.carrier).arrow
    return array if arrow is None or arrow == array.type else array.cast(arrow)


def _uuids(array: pa.Array, name: str) -> pa.Array:
    try:
        return wire.uuids(array)
    except BadValues as error:
        length = len(array[int(error.positions[0])].as_py())
        raise DataError(
            f"expected a uuid in column {name}, found text of {length} characters that is none; "
            "cast the column in the table's `transform` entry, so that such rows are rejected"
        ) from error


# --- CSV ------------------------------------------------------------------------------------------------------------


def _encode_csv(batches: Iterator[pa.RecordBatch], columns: tuple[StagedColumn, ...], attempt: int) -> Iterator[bytes]:
    options = pa_csv.WriteOptions(include_header=False)
    for batch in batches:
        arrays = [_as_text(batch.column(i)) for i, _ in enumerate(columns)]
        sink = io.BytesIO()
        pa_csv.write_csv(_with_attempt(arrays, columns, attempt), sink, options)
        yield sink.getvalue()


def _as_text(array: pa.Array) -> pa.Array:
    """What pyarrow's CSV writer cannot say as PostgreSQL reads it: bytes in hex, arrays in braces, years before 1."""
    if pa.types.is_binary(array.type):
        return pa.array([None if v is None else "\\x" + v.hex() for v in array.to_pylist()], pa.string())
    if pa.types.is_list(array.type):
        return _braced(array)
    if pa.types.is_date(array.type) or pa.types.is_timestamp(array.type):
        return _times(array)
    return array.cast(pa.string()) if pa.types.is_null(array.type) else array


def _braced(array: pa.Array) -> pa.Array:
    elements = iter(_as_text(array.flatten()).cast(pa.string()).to_pylist())
    lengths = array.value_lengths().to_pylist()
    texts = [None if n is None else "{" + ",".join(_quoted(next(elements)) for _ in range(n)) + "}" for n in lengths]
    return pa.array(texts, pa.string())


def _quoted(text: str | None) -> str:
    return "NULL" if text is None else '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _times(array: pa.Array) -> pa.Array:
    texts = array.cast(pa.string())
    is_early = pc.or_(pc.starts_with(texts, "-"), pc.starts_with(texts, "0000"))
    if not pc.any(is_early).as_py():
        return texts
    return pa.array([None if text is None else _before_christ(text) for text in texts.to_pylist()], pa.string())


def _before_christ(text: str) -> str:
    """`-0043-03-15` → `0044-03-15 BC`: pyarrow counts a year 0, PostgreSQL does not."""
    year, rest = int(text[: 5 if text.startswith("-") else 4]), text.lstrip("-")[4:]
    return text if year > 0 else f"{1 - year:04d}{rest} BC"
