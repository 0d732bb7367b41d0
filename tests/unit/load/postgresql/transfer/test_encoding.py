import uuid
from collections.abc import Iterator

import pyarrow as pa
import pytest

from etl.errors import DataError
from etl.load.postgresql.transfer.carriers import carrier_type, staged_column, wire_of
from etl.load.postgresql.transfer.encoding import encode
from etl.load.postgresql.transfer.partition import ByteStream
from etl.model import Column
from etl.statements.postgresql.naming import StagedColumn

ONE = uuid.UUID("0123abcd-EF45-6789-abcd-000000000001")


@pytest.mark.parametrize(
    ("spark", "declared", "expected"),
    [
        ("string", "uuid", "uuid"),
        ("decimal(12,2)", "numeric(12,2)", "numeric(12,2)"),
        ("decimal(38,18)", "numeric", "numeric(38,18)"),
        ("string", "numeric", "text"),
        ("string", "numeric(50,10)", "text"),
        ("string", "character varying(80)", "character varying(80)"),
        ("timestamp", "timestamp with time zone", "timestamp with time zone"),
        ("timestamp", "timestamp(3) with time zone", "timestamp with time zone"),
        ("timestamp", "timestamp(0) without time zone", "timestamp without time zone"),
        ("string", "jsonb", "jsonb"),
        ("struct<a:int>", "jsonb", "jsonb"),
        ("array<struct<a:int>>", "jsonb", "jsonb"),
        ("string", "inet", "text"),
        ("string", "time without time zone", "text"),
        ("bigint", "oid", "bigint"),
        ("string", "mood", "text"),
        ("void", "text", "text"),
        ("tinyint", "smallint", "smallint"),
        ("array<int>", "integer[]", "integer[]"),
        ("array<decimal(10,2)>", "numeric(10,2)[]", "numeric(10,2)[]"),
        ("array<string>", "numeric[]", "text[]"),
        ("array<string>", "uuid[]", "text[]"),
        ("array<string>", "jsonb[]", "text[]"),
        ("array<binary>", "bytea[]", "bytea[]"),
        ("array<string>", "character varying(9)[]", "text[]"),
        ("array<timestamp>", "timestamp with time zone[]", "timestamp without time zone[]"),
        ("array<timestamp>", "timestamp(3) with time zone[]", "timestamp without time zone[]"),
    ],
)
def test_every_carrier_has_its_encoder(spark: str, declared: str, expected: str) -> None:
    assert carrier_type(spark, declared) == expected
    assert wire_of(expected).builder is not None


def test_the_frames_own_type_travels() -> None:
    assert staged_column(Column("n", "int", "integer"), "bigint") == StagedColumn("n", "bigint", "integer")


@pytest.mark.parametrize("text", ["", "x" * 36, str(ONE)[:-1] + "g", str(ONE).replace("-", "0"), ONE.urn])
def test_text_that_is_no_uuid_names_the_column_not_the_value(text: str) -> None:
    with pytest.raises(DataError, match="expected a uuid in column id") as caught:
        batch = pa.RecordBatch.from_arrays([pa.array([str(ONE), text], pa.string())], names=["id"])
        list(encode(iter([batch]), (StagedColumn("id", "uuid", "uuid"),), 1, "binary"))
    assert not text or text not in caught.value.message


def test_timestamps_out_of_range_are_a_data_error() -> None:
    kind = pa.timestamp("us", "UTC")
    batch = pa.RecordBatch.from_arrays([pa.array([-(2**63)], pa.int64()).cast(kind)], names=["at"])
    columns = (StagedColumn("at", "timestamp with time zone", "timestamp with time zone"),)
    with pytest.raises(DataError, match="found one beyond them"):
        list(encode(iter([batch]), columns, 1, "binary"))


def test_csv_tells_null_from_empty() -> None:
    arrays = [
        pa.array([None, "", 'a"b,c'], pa.string()),
        pa.array([None, b"", b"\x00\xff"], pa.binary()),
        pa.array([None, [], ['x"', None, "\\"]], pa.list_(pa.string())),
    ]
    batch = pa.RecordBatch.from_arrays(arrays, names=["t", "b", "l"])
    columns = tuple(StagedColumn(name, kind, kind) for name, kind in (("t", "text"), ("b", "bytea"), ("l", "text[]")))
    assert b"".join(encode(iter([batch]), columns, 7, "csv")).decode() == (
        '7,,,\n7,"","\\x","{}"\n7,"a""b,c","\\x00ff","{""x\\"""",NULL,""\\\\""}"\n'
    )


def test_csv_says_years_before_the_first_as_postgresql_does() -> None:
    days = pa.array([-719163, -735171, 2932897, None], pa.int32()).cast(pa.date32())
    instants = pa.array([-62135596800000001, 0, None, None], pa.int64()).cast(pa.timestamp("us", "UTC"))
    lists = pa.array([[-719163, None], [], None, [0]], pa.list_(pa.int32())).cast(pa.list_(pa.date32()))
    batch = pa.RecordBatch.from_arrays([days, instants, lists], names=["d", "t", "l"])
    columns = tuple(StagedColumn(name, "text", "text") for name in batch.schema.names)
    assert b"".join(encode(iter([batch]), columns, 1, "csv")).decode().splitlines() == [
        '1,"0001-12-31 BC","0001-12-31 23:59:59.999999Z BC","{""0001-12-31 BC"",NULL}"',
        '1,"0044-03-04 BC","1970-01-01 00:00:00.000000Z","{}"',
        '1,"10000-01-01",,',
        '1,,,"{""1970-01-01""}"',
    ]


def test_byte_stream_hands_out_pieces_and_remembers_what_failed() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"abc"
        yield b""
        yield b"defg"
        raise DataError("no more")

    stream = ByteStream(chunks())
    assert [stream.read(2) for _ in range(4)] == [b"ab", b"c", b"de", b"fg"]
    with pytest.raises(DataError):
        stream.read(2)
    assert (stream.size, str(stream.failure)) == (7, "no more")
    assert ByteStream(iter([])).read(5) == b""
