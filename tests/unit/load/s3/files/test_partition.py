from __future__ import annotations

import gzip
import io
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.config.destinations.s3.load_config import S3Format
from etl.load.executors import Attempt
from etl.load.s3.files import partition as files_module
from etl.load.s3.files.formats import FileFormat, JsonFile, empty_parquet
from etl.load.s3.files.partition import FileTask, files_of, write_files
from etl.s3.store import StoreAddress

ADDRESS = StoreAddress("lake", None, "us-east-1", True, True, None, "key", "secret-of-mine")


class Parts:
    """Stands for the process on the other side: keeps the parts of uploads, and fails where it is told to."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.uploads: dict[str, list[bytes]] = {}
        self.aborted: list[str] = []
        self._fail_after = fail_after

    def create_multipart_upload(self, Bucket: str, Key: str) -> dict[str, str]:
        self.uploads[Key] = []
        return {"UploadId": f"upload of {Key}"}

    def upload_part(self, Bucket: str, Key: str, UploadId: str, PartNumber: int, Body: bytes) -> dict[str, str]:
        if self._fail_after is not None and sum(map(len, self.uploads.values())) >= self._fail_after:
            raise OSError("the disk is gone")
        self.uploads[Key].append(Body)
        return {"ETag": f"etag {PartNumber}"}

    def abort_multipart_upload(self, Bucket: str, Key: str, UploadId: str) -> None:
        self.aborted.append(Key)

    def table(self, key: str) -> pa.Table:
        return pq.read_table(io.BytesIO(b"".join(self.uploads[key])))


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> Parts:
    return _use(Parts(), monkeypatch)


def _use(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> Parts:
    monkeypatch.setattr(files_module, "client_of", lambda address: parts)
    return parts


def _task(**over: Any) -> FileTask:
    fields = {
        "address": ADDRESS, "prefix": "t/", "run": "0123456789ab",
        "format": FileFormat(S3Format.PARQUET, "zstd", "{}"), "partitioned": True, "target_file_bytes": 1 << 30,
    }  # fmt: skip
    return FileTask(**{**fields, **over})


def _batch(*rows: tuple[int, date]) -> pa.RecordBatch:
    return pa.RecordBatch.from_pydict(
        {"id": pa.array([r[0] for r in rows], pa.int64()), "partition_date": pa.array([r[1] for r in rows])}
    )


MONDAY, TUESDAY = date(2025, 11, 3), date(2025, 11, 4)


def test_each_day_gets_a_file_with_its_rows_and_without_the_day_itself(parts: Parts) -> None:
    batches = [_batch((1, TUESDAY), (2, MONDAY)), _batch((3, TUESDAY), (4, MONDAY))]
    receipt = write_files(iter(batches), Attempt(3, 17), _task())
    staged = {file.key: file for file in files_of(receipt)}
    monday = "t/partition_date=2025-11-03/part-00003-0123456789ab-17-0.zstd.parquet"
    tuesday = "t/partition_date=2025-11-04/part-00003-0123456789ab-17-1.zstd.parquet"
    assert staged.keys() == {monday, tuesday}
    assert parts.table(monday).to_pydict() == {"id": [2, 4]}
    assert parts.table(tuesday).to_pydict() == {"id": [1, 3]}
    assert (receipt.rows, staged[monday].rows, staged[tuesday].rows) == (4, 2, 2)
    assert receipt.bytes == sum(len(b"".join(part)) for part in parts.uploads.values())


def test_a_file_is_closed_at_its_target_size_and_the_next_begun(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "_ROW_GROUP_BYTES", 1)
    receipt = write_files(
        iter([_batch((n, MONDAY)) for n in range(3)]), Attempt(0, 0), _task(partitioned=False, target_file_bytes=1)
    )
    assert [file.rows for file in files_of(receipt)] == [1, 1, 1]
    assert sorted(parts.table(key)["id"].to_pylist() for key in parts.uploads) == [[0], [1], [2]]


def test_held_rows_are_bounded_over_all_days_and_none_is_lost(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "_HELD_BYTES", 1)
    monkeypatch.setattr(files_module, "_SORT_BYTES", 1)
    monkeypatch.setattr(files_module, "_OPEN_FILES", 1)
    batches = [_batch((n, MONDAY), (n + 100, TUESDAY)) for n in range(4)]
    receipt = write_files(iter(batches), Attempt(0, 0), _task())
    found = sorted(n for key in parts.uploads for n in parts.table(key)["id"].to_pylist())
    assert found == [0, 1, 2, 3, 100, 101, 102, 103]
    assert receipt.rows == 8


def test_an_empty_partition_stages_nothing(parts: Parts) -> None:
    receipt = write_files(iter([]), Attempt(0, 0), _task())
    assert (receipt.rows, receipt.bytes, files_of(receipt), parts.uploads) == (0, 0, [], {})


def test_a_failed_attempt_leaves_no_upload_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = _use(Parts(fail_after=1), monkeypatch)
    with pytest.raises(OSError, match="disk is gone"):
        write_files(iter([_batch((1, MONDAY), (2, TUESDAY))]), Attempt(0, 0), _task())
    assert sorted(parts.aborted) == sorted(parts.uploads)


def test_a_row_without_a_day_is_never_written(parts: Parts) -> None:
    batch = pa.RecordBatch.from_pydict({"id": [1], "partition_date": pa.array([None], pa.date32())})
    with pytest.raises(ValueError, match="1 rows have no partition_date"):
        write_files(iter([batch]), Attempt(0, 0), _task())


def test_json_lines_are_one_object_a_line_and_equal_rows_give_equal_bytes() -> None:
    def written() -> bytes:
        sink = io.BytesIO()
        file = JsonFile(sink, compressed=True)
        file.write(pa.table({"value": ['{"a":1}', '{"a":"é\\n"}']}))
        file.close()
        return sink.getvalue()

    assert gzip.decompress(written()).decode() == '{"a":1}\n{"a":"é\\n"}\n'
    assert written() == written()


@pytest.mark.parametrize(
    ("file_format", "compression", "extension"),
    [
        (S3Format.PARQUET, "zstd", "zstd.parquet"),
        (S3Format.PARQUET, "snappy", "snappy.parquet"),
        (S3Format.PARQUET, "gzip", "gz.parquet"),
        (S3Format.PARQUET, "none", "parquet"),
        (S3Format.JSON, "gzip", "json.gz"),
        (S3Format.JSON, "none", "json"),
    ],
)
def test_the_extension_tells_format_and_compression(file_format: S3Format, compression: str, extension: str) -> None:
    assert FileFormat(file_format, compression).extension == extension


def test_an_empty_file_still_tells_the_schema(tmp_path: Path) -> None:
    schema = pa.schema([("id", pa.int64()), ("at", pa.timestamp("us", tz="UTC"))])
    content = empty_parquet(schema, FileFormat(S3Format.PARQUET, "zstd", "{}"))
    assert pq.read_schema(io.BytesIO(content)).remove_metadata() == schema
    metadata = pq.read_metadata(io.BytesIO(content)).metadata
    assert metadata == {
        b"org.apache.spark.version": b"4.2.0",
        b"org.apache.spark.sql.parquet.row.metadata": b"{}",
    }


def test_the_address_does_not_print_its_secrets() -> None:
    assert "secret-of-mine" not in repr(_task())
