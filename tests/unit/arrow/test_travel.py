from __future__ import annotations

import pyarrow as pa
import pytest

from etl.arrow.travel import MismatchError, travel
from etl.arrow.types import UnmappedTypeError, postgresql_type

INSTANT, WALL_CLOCK = pa.timestamp("us", "UTC"), pa.timestamp("us")


@pytest.mark.parametrize(
    ("arrow_type", "target", "staged"),
    [
        (pa.int32(), "bigint", "bigint"),
        (pa.int64(), "numeric", "numeric"),
        (pa.int64(), "numeric(8,2)", "numeric(8,2)"),
        (pa.int64(), "text", "text"),
        (pa.int64(), "character varying(9)", "character varying(9)"),
        (pa.float64(), "real", "real"),
        (pa.float64(), "numeric(8,2)", "text"),
        (pa.decimal128(8, 2), "numeric(8,2)", "numeric(8,2)"),
        (pa.decimal128(8, 3), "numeric(8,2)", "numeric"),
        (pa.decimal128(8, 3), "double precision", "text"),
        (pa.string(), "uuid", "uuid"),
        (pa.string(), "jsonb", "jsonb"),
        (pa.string(), "date", "text"),
        (pa.string(), "some_enumeration", "text"),
        (pa.int64(), "some_domain", "text"),
        (pa.date32(), "timestamp without time zone", "timestamp without time zone"),
        (INSTANT, "timestamp(3) with time zone", "timestamp(3) with time zone"),
        (pa.list_(pa.int8()), "integer[]", "text"),
        (pa.list_(pa.float32(), 3), "vector(3)", "text"),
        (pa.list_(pa.float16()), "extensions.halfvec", "text"),
        (pa.int32(), "oid", "text"),
        (pa.decimal128(8, 2), "money", "numeric"),
        (pa.null(), "bigint", "text"),
    ],
    ids=str,
)
def test_a_column_travels_in_the_targets_type_where_that_is_exact(
    arrow_type: pa.DataType, target: str, staged: str
) -> None:
    assert travel(arrow_type, target, None).type == staged


@pytest.mark.parametrize(
    ("arrow_type", "target", "said"),
    [
        (WALL_CLOCK, "timestamp with time zone", "--timezone"),
        (pa.date32(), "timestamp with time zone", "--timezone"),
        (INSTANT, "timestamp without time zone", "timestamp\\[us, tz=UTC\\] does not become"),
        (INSTANT, "date", "does not become date"),
        (WALL_CLOCK, "date", "does not become date"),
        (WALL_CLOCK, "time without time zone", "does not become"),
        (pa.int64(), "date", "does not become"),
        (pa.int64(), "boolean", "does not become"),
        (pa.bool_(), "integer", "does not become"),
        (pa.float64(), "jsonb[]", "does not become"),
        (pa.binary(), "uuid", "does not become"),
        (pa.binary(15), "uuid", "does not become"),
        (pa.struct([("a", pa.int8())]), "integer[]", "does not become"),
        (pa.list_(WALL_CLOCK), "timestamp with time zone[]", "--timezone"),
        (pa.time64("us"), "time with time zone", "does not become"),
        (pa.int64(), "bit(2)", "becomes bigint, or have it written as text that PostgreSQL reads as bit"),
        (pa.float64(), "money", "becomes double precision"),
        (pa.binary(), "xml", "becomes bytea"),
        (pa.binary(), "some_enumeration", "becomes bytea"),
        (pa.struct([("a", pa.int8())]), "some_composite", "becomes jsonb"),
        (pa.map_(pa.string(), pa.string()), "hstore", "becomes jsonb"),
        (pa.json_(), "some_enumeration", "becomes jsonb"),
        (pa.list_(pa.string()), "vector(3)", "becomes jsonb"),
        (pa.list_(pa.struct([("a", pa.int8())])), "some_composite[]", "becomes jsonb"),
        (pa.list_(pa.decimal128(8, 2)), "money[]", "becomes numeric"),
        (pa.month_day_nano_interval(), "time without time zone", "becomes interval"),
    ],
    ids=str,
)
def test_what_would_lose_something_is_a_mismatch(arrow_type: pa.DataType, target: str, said: str) -> None:
    with pytest.raises(MismatchError, match=said):
        travel(arrow_type, target, None)


def test_a_time_zone_must_be_known() -> None:
    assert travel(WALL_CLOCK, "timestamp with time zone", "Asia/Tokyo").type == "timestamp with time zone"
    with pytest.raises(MismatchError, match="Mars/Olympus"):
        travel(WALL_CLOCK, "timestamp with time zone", "Mars/Olympus")


def test_a_type_without_counterpart_is_refused_whatever_the_target() -> None:
    with pytest.raises(UnmappedTypeError):
        travel(pa.opaque(pa.binary(), "shape", "drawings"), "text", None)


def test_what_has_no_counterpart_goes_into_a_column_of_what_it_is_stored_in() -> None:
    assert travel(pa.opaque(pa.binary(), "shape", "drawings"), "bytea", None).type == "bytea"


@pytest.mark.parametrize("arrow_type", [pa.date32(), pa.time64("us"), WALL_CLOCK, INSTANT, pa.duration("us")], ids=str)
def test_times_travel_as_text_in_records(arrow_type: pa.DataType) -> None:
    """asyncpg would write the first and the last of them as infinity."""
    found = travel(arrow_type, postgresql_type(arrow_type), None)

    assert found.record_type == "text"
    assert found.type == postgresql_type(arrow_type)
