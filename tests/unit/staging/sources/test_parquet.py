from __future__ import annotations

import base64
import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.errors import SourceError
from etl.staging.sources.parquet import ParquetFormat
from tests.unit.staging.sources.support import check_batches, records_of, source_of


def write_table(path: Path, table: pa.Table, rows: int = 1000) -> Path:
    pq.write_table(table, path, row_group_size=rows)
    return path


def json_of(path: Path, columns: dict[str, pa.Array]) -> list[bytes]:
    write_table(path, pa.table(columns))
    return records_of(check_batches(source_of(ParquetFormat(), path), 100))


@pytest.mark.parametrize("group", [1, 7, 25, 1000])
@pytest.mark.parametrize("size", [1, 10, 25, 100])
def test_rows_come_in_order_from_any_row_group(tmp_path: Path, group: int, size: int) -> None:
    path = write_table(tmp_path / "a.parquet", pa.table({"n": list(range(50))}), group)
    source = source_of(ParquetFormat(), path)
    batches = check_batches(source, size)
    assert records_of(batches) == [b'{"n":%d}' % n for n in range(50)]
    assert source.locate(batches[-1], 49) == {"file": str(path), "row": 50}


def test_numbers_are_exact(tmp_path: Path) -> None:
    assert json_of(
        tmp_path / "a.parquet",
        {
            "money": pa.array([Decimal("12345678901234567890123.40")], pa.decimal128(38, 2)),
            "tiny": pa.array([Decimal("0.0000000001")], pa.decimal128(12, 10)),
            "large": pa.array([2**64 - 1], pa.uint64()),
            "small": pa.array([-(2**63)], pa.int64()),
            "real": pa.array([0.1], pa.float64()),
        },
    ) == [
        b'{"money":12345678901234567890123.40,"tiny":0.0000000001,"large":18446744073709551615,'
        b'"small":-9223372036854775808,"real":0.1}'
    ]


def test_instants_are_iso(tmp_path: Path) -> None:
    (record,) = json_of(
        tmp_path / "a.parquet",
        {
            "nanoseconds": pa.array([1_700_000_000_123_456_789], pa.timestamp("ns", "UTC")),
            "microseconds": pa.array([datetime(2026, 3, 1, 12, 0, 0, 5, UTC)], pa.timestamp("us", "Europe/Paris")),
            "local": pa.array([datetime(2026, 3, 1, 12)], pa.timestamp("ms")),
            "day": pa.array([date(1, 1, 1)]),
            "time": pa.array([time(1, 2, 3, 4)]),
            "lasting": pa.array([timedelta(days=1, milliseconds=1)], pa.duration("ms")),
        },
    )
    assert orjson.loads(record) == {
        "nanoseconds": "2023-11-14T22:13:20.123456789+00:00",
        "microseconds": "2026-03-01T13:00:00.000005+01:00",
        "local": "2026-03-01T12:00:00",
        "day": "0001-01-01",
        "time": "01:02:03.000004",
        "lasting": 86400.001,
    }


def test_nested_values_bytes_and_nulls(tmp_path: Path) -> None:
    number = UUID(int=7)
    (record,) = json_of(
        tmp_path / "a.parquet",
        {
            "list": pa.array([[{"a": Decimal("1.10")}, None]], pa.list_(pa.struct({"a": pa.decimal128(5, 2)}))),
            "map": pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int32())),
            "bytes": pa.array([b"\xff\x00"]),
            "word": pa.array(["é"]).dictionary_encode(),
            "nothing": pa.array([None], pa.string()),
            "not_a_number": pa.array([float("nan")]),
            "id": pa.array([number.bytes], pa.uuid()),
        },
    )
    assert b'{"a":1.10}' in record
    assert orjson.loads(record) == {
        "list": [{"a": 1.1}, None],
        "map": {"k": 1},
        "bytes": base64.b64encode(b"\xff\x00").decode(),
        "word": "é",
        "nothing": None,
        "not_a_number": None,
        "id": str(number),
    }


def test_no_rows_no_batch(tmp_path: Path) -> None:
    assert json_of(tmp_path / "a.parquet", {"n": pa.array([], pa.int64())}) == []


@pytest.mark.parametrize("content", [b"", b"PAR1", b'{"a": 1}\n' * 100])
def test_what_is_no_parquet_is_refused(content: bytes) -> None:
    with pytest.raises(SourceError, match="not a Parquet file that can be read as JSON"):
        list(ParquetFormat().slices(io.BytesIO(content), 10))


def test_two_columns_of_one_name_are_refused(tmp_path: Path) -> None:
    path = write_table(tmp_path / "a.parquet", pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["n", "n"]))
    with pytest.raises(SourceError, match=r"a.parquet: expected each column once, found 'n' again"):
        list(source_of(ParquetFormat(), path).batches(10))
