import uuid
from collections.abc import Iterator

import pyarrow as pa
import pytest

from etl.errors import DataError
from etl.load.postgresql.carriers import carrier_type, staged_column
from etl.load.postgresql.copying import ByteStream
from etl.load.postgresql.encoding import encode, uuid_bytes
from etl.model import Column
from etl.statements.postgresql.naming import StagedColumn

ONE = uuid.UUID("0123abcd-EF45-6789-abcd-000000000001")


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("uuid", "uuid"),
        ("numeric(12,2)", "numeric(12,2)"),
        ("numeric", "numeric"),
        ("character varying(80)", "character varying(80)"),
        ("timestamp with time zone", "timestamp with time zone"),
        ("jsonb", "jsonb"),
        ("inet", "text"),
        ("time without time zone", "text"),
        ("timestamp(3) without time zone", "text"),
        ("mood", "text"),
        ("integer[]", "integer[]"),
        ("numeric(10,2)[]", "numeric(10,2)[]"),
        ("uuid[]", "text[]"),
        ("character varying(9)[]", "text[]"),
        ("timestamp with time zone[]", "timestamp without time zone[]"),
    ],
)
def test_carrier(declared: str, expected: str) -> None:
    assert carrier_type(declared) == expected


def test_the_frames_own_type_travels() -> None:
    assert staged_column(Column("n", "int", "integer"), "bigint") == StagedColumn("n", "bigint", "integer")


@pytest.mark.parametrize(
    "texts",
    [
        [str(ONE), str(ONE).upper(), str(uuid.UUID(int=2**128 - 1))],
        [str(ONE), None, str(ONE)],
        [None],
        [],
        ["{" + str(ONE) + "}", ONE.hex, None],
    ],
)
def test_uuid_bytes(texts: list[str | None]) -> None:
    expected = [None if text is None else uuid.UUID(text).bytes for text in texts]
    assert uuid_bytes(pa.array(texts, pa.string()), "id").to_pylist() == expected
    shifted = pa.array([str(uuid.UUID(int=0)), *texts], pa.string()).slice(1)
    assert uuid_bytes(shifted, "id").to_pylist() == expected


@pytest.mark.parametrize("text", ["", "x" * 36, str(ONE)[:-1] + "g", str(ONE).replace("-", "0")])
def test_text_that_is_no_uuid_names_the_column_not_the_value(text: str) -> None:
    with pytest.raises(DataError, match="expected a uuid in column id") as caught:
        uuid_bytes(pa.array([str(ONE), text], pa.string()), "id")
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
