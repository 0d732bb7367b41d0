from __future__ import annotations

import pyarrow as pa
import pytest

from etl.arrow.types import UnmappedTypeError, postgresql_type


@pytest.mark.parametrize(
    ("arrow_type", "expected"),
    [
        (pa.int8(), "smallint"),
        (pa.int16(), "smallint"),
        (pa.int32(), "integer"),
        (pa.int64(), "bigint"),
        (pa.uint8(), "smallint"),
        (pa.uint16(), "integer"),
        (pa.uint32(), "bigint"),
        (pa.uint64(), "numeric(20,0)"),
        (pa.float16(), "real"),
        (pa.float32(), "real"),
        (pa.float64(), "double precision"),
        (pa.bool_(), "boolean"),
        (pa.string(), "text"),
        (pa.large_string(), "text"),
        (pa.string_view(), "text"),
        (pa.binary(), "bytea"),
        (pa.large_binary(), "bytea"),
        (pa.binary_view(), "bytea"),
        (pa.binary(16), "bytea"),
        (pa.uuid(), "uuid"),
        (pa.json_(), "jsonb"),
        (pa.decimal32(5, 2), "numeric(5,2)"),
        (pa.decimal64(15, 2), "numeric(15,2)"),
        (pa.decimal128(38, 10), "numeric(38,10)"),
        (pa.decimal256(76, 0), "numeric(76,0)"),
        (pa.date32(), "date"),
        (pa.date64(), "date"),
        (pa.time32("s"), "time without time zone"),
        (pa.time64("ns"), "time without time zone"),
        (pa.timestamp("ns"), "timestamp without time zone"),
        (pa.timestamp("s", "Europe/Berlin"), "timestamp with time zone"),
        (pa.duration("ms"), "interval"),
        (pa.dictionary(pa.int8(), pa.date32()), "date"),
        (pa.dictionary(pa.int8(), pa.decimal128(4, 1)), "numeric(4,1)"),
        (pa.bool8(), "boolean"),
        (pa.month_day_nano_interval(), "interval"),
        (pa.list_(pa.int8()), "jsonb"),
        (pa.list_view(pa.int8()), "jsonb"),
        (pa.struct([("a", pa.list_(pa.uuid()))]), "jsonb"),
        (pa.map_(pa.string(), pa.null()), "jsonb"),
        (pa.null(), "text"),
    ],
    ids=str,
)
def test_an_arrow_type_has_one_counterpart(arrow_type: pa.DataType, expected: str) -> None:
    assert postgresql_type(arrow_type) == expected


@pytest.mark.parametrize(
    ("arrow_type", "named"),
    [
        (pa.dense_union([pa.field("a", pa.int8())]), "dense_union"),
        (pa.opaque(pa.binary(), "geometry", "postgis"), "extension type geometry"),
        (pa.decimal128(5, -2), r"decimal128\(5, -2\)"),
        (pa.list_(pa.month_day_nano_interval()), "month_day_nano_interval"),
        (pa.struct([("a", pa.int8()), ("a", pa.int8())]), "two fields of one name"),
        (pa.run_end_encoded(pa.int32(), pa.int8()), "run_end_encoded"),
    ],
    ids=str,
)
def test_what_postgresql_does_not_have_is_refused_by_name(arrow_type: pa.DataType, named: str) -> None:
    with pytest.raises(UnmappedTypeError, match=named):
        postgresql_type(arrow_type)
