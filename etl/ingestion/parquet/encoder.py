"""Rows of a Parquet file → what COPY takes; rows that cannot travel are set aside with a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder, encoders
from pgpq.schema import Jsonb

from etl.arrow.text import text
from etl.arrow.travel import JsonKind, Travel
from etl.arrow.types import kind_of
from etl.arrow.values import BadValues, canonical
from etl.errors import SourceError
from etl.ingestion.model import BinaryBytes, Payload, Records, Reject
from etl.ingestion.parquet.cutter import Chunk

SHOWN_CHARACTERS = 100

Convert = Callable[[Travel, pa.Array], Any]
Build = Callable[[pa.RecordBatch, list[Any], tuple[Travel, ...]], Payload]


class _BadRows(Exception):
    """Of each row that cannot travel, by position: its first column at fault, and what was expected there."""

    def __init__(self, faults: dict[int, tuple[str, str]]) -> None:
        super().__init__(f"{len(faults)} rows")
        self.faults = dict(sorted(faults.items()))
        self.positions = list(self.faults)


@dataclass(frozen=True)
class Encoded:
    """`numbers` are the rows of the file, counted from 1, that are in the payload."""

    payload: Payload
    numbers: npt.NDArray[np.int64]
    rejects: tuple[Reject, ...]


def encode(
    chunk: Chunk, travels: tuple[Travel, ...], *, as_records: bool, strictly: bool, is_fatal: bool, path: Path
) -> Encoded:
    """`strictly` also asks what only PostgreSQL asks otherwise. Raises SourceError for the first row that cannot travel
    where `is_fatal`; else all such rows become rejects."""
    rows, numbers = chunk.rows, np.arange(chunk.first_row, chunk.first_row + len(chunk.rows), dtype=np.int64)
    rejects: list[Reject] = []
    while True:
        try:
            if strictly:
                _converted(rows, travels, lambda journey, array: journey.check(array))
            payload = _records(rows, travels) if as_records else _binary(rows, travels, path, chunk.first_row)
        except _BadRows as bad:
            found = _rejects(bad, rows, numbers)
            if is_fatal:
                raise refusal(path, found[0]) from bad
            rejects += found
            rows, numbers = _without(rows, numbers, bad)
        else:
            return Encoded(payload, numbers, tuple(sorted(rejects, key=lambda reject: reject.row)))


def refusal(path: Path, reject: Reject) -> SourceError:
    return SourceError(
        f"{reject.reason} in {path}, row {reject.row}, column {reject.column}, found {reject.value}; "
        "mend the file, or load the rest with --rejects reject"
    )


def shown(array: pa.Array, position: int) -> str | None:
    """A value as text, also one that has none in PostgreSQL."""
    one = array.slice(position, 1)
    try:
        written: str | None = text(canonical(one), kind_of(one.type))[0].as_py()
    except BadValues:
        return _arrow_text(one)
    return written


def shortened(written: str | None) -> str | None:
    return None if written is None else written[:SHOWN_CHARACTERS]


def _arrow_text(one: pa.Array) -> str:
    values = one.dictionary_decode() if pa.types.is_dictionary(one.type) else one
    if pa.types.is_temporal(values.type):
        return str(values.cast(pa.string())[0].as_py())
    if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        raw = values.cast(pa.large_binary())[0].as_py()
        return repr(raw.decode("utf-8", errors="backslashreplace"))
    return repr(values[0].as_py())


def _converted(rows: pa.RecordBatch, travels: tuple[Travel, ...], convert: Convert) -> list[Any]:
    converted, faults = [], dict[int, tuple[str, str]]()
    for name, array, journey in zip(rows.schema.names, rows.columns, travels, strict=True):
        try:
            converted.append(convert(journey, array))
        except BadValues as bad:
            faults = {int(position): (name, bad.expected) for position in bad.positions} | faults
    if faults:
        raise _BadRows(faults)
    return converted


def _records(rows: pa.RecordBatch, travels: tuple[Travel, ...]) -> Records:
    values = _converted(rows, travels, lambda journey, array: journey.records(array))
    return Records(list(zip(*values, strict=True)))


def _binary(rows: pa.RecordBatch, travels: tuple[Travel, ...], path: Path, first_row: int) -> BinaryBytes:
    arrays = _converted(rows, travels, lambda journey, array: journey.wire(array))
    fields = pa.RecordBatch.from_arrays(arrays, names=rows.schema.names)
    encoder = _encoder(fields.schema, travels)
    try:
        return BinaryBytes(b"".join((encoder.write_header(), encoder.write_batch(fields), encoder.finish())))
    except (ValueError, RuntimeError) as error:
        raise SourceError(
            f"expected values that PostgreSQL's binary format holds in {path}, rows {first_row} to "
            f"{first_row + len(rows) - 1}, found one beyond it: {error}"
        ) from error


def _encoder(schema: pa.Schema, travels: tuple[Travel, ...]) -> ArrowToPostgresBinaryEncoder:
    builders: dict[str, Any] = {}
    for field, journey in zip(schema, travels, strict=True):
        builders[field.name] = (
            _jsonb(field) if journey.json is JsonKind.JSONB else ArrowToPostgresBinaryEncoder.infer_encoder(field)
        )
    return ArrowToPostgresBinaryEncoder.new_with_encoders(schema, builders)


def _jsonb(field: pa.Field) -> Any:
    is_large = pa.types.is_large_string(field.type)
    builder = encoders.LargeStringEncoderBuilder if is_large else encoders.StringEncoderBuilder
    return builder.new_with_output(field, Jsonb())


def _rejects(bad: _BadRows, rows: pa.RecordBatch, numbers: npt.NDArray[np.int64]) -> list[Reject]:
    return [
        Reject(
            int(numbers[position]), None, name, shortened(shown(rows.column(name), position)), f"expected {expected}"
        )
        for position, (name, expected) in bad.faults.items()
    ]


def _without(
    rows: pa.RecordBatch, numbers: npt.NDArray[np.int64], bad: _BadRows
) -> tuple[pa.RecordBatch, npt.NDArray[np.int64]]:
    is_kept = np.ones(len(rows), dtype=np.bool_)
    is_kept[bad.positions] = False
    return rows.filter(pa.array(is_kept)), numbers[is_kept]
