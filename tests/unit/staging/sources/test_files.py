from __future__ import annotations

import io
import os
from contextlib import suppress
from pathlib import Path

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from etl.errors import SourceError
from etl.files.unpacking import CODECS
from etl.staging.batch.records import RawBatch
from etl.staging.sources.base import Format
from etl.staging.sources.csv import CsvFormat
from etl.staging.sources.files import find_files, name_files
from etl.staging.sources.json_array import JsonArrayFormat
from etl.staging.sources.ndjson import NdjsonFormat
from etl.staging.sources.parquet import ParquetFormat
from tests.unit.staging.sources.support import LONGEST, PACKERS, check_batches, records_of, source_of, write

NDJSON = NdjsonFormat(LONGEST)


def test_a_batch_ends_with_its_file_and_ordinals_go_on(tmp_path: Path) -> None:
    first = write(tmp_path / "a.ndjson", b"1\n2\n3\n")
    empty = write(tmp_path / "b.ndjson", b"")
    last = write(tmp_path / "c.ndjson.gz", b"4\n5\n")
    source = source_of(NDJSON, first, empty, last)
    batches = check_batches(source, 2)
    assert [batch.records for batch in batches] == [[b"1", b"2"], [b"3"], [b"4", b"5"]]
    assert source.can_be_read_again
    assert source.locate(batches[2], 4) == {"file": str(last), "line": 2}


def test_patterns_are_taken_in_order_and_files_once(tmp_path: Path) -> None:
    for name in ("b.json", "a.json", "c.txt", "deep/er/d.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "folder.json").mkdir()
    patterns = [f"{tmp_path}/c.txt", f"{tmp_path}/*.json", f"{tmp_path}/**/*.json"]
    names = [str(path.relative_to(tmp_path)) for path in find_files(patterns)]
    assert names == ["c.txt", "a.json", "b.json", "deep/er/d.json"]


def test_a_name_that_is_not_utf8_is_told_and_found_again(tmp_path: Path) -> None:
    write(tmp_path / os.fsdecode(b"caf\xe9.ndjson"), b"1\n2\n")
    (path,) = find_files([f"{tmp_path}/caf*.ndjson"])
    source = source_of(NDJSON, path)
    (batch,) = check_batches(source, 2)
    assert batch.position["file"] == f"{tmp_path}/caf\\xe9.ndjson"
    assert orjson.loads(orjson.dumps(batch.position)) == batch.position
    assert find_files([batch.position["file"]]) == (path,)
    with pytest.raises(SourceError, match=r"no file .*/no\\xe9"):
        find_files([f"{tmp_path}/{os.fsdecode(bytes([110, 111, 0xE9]))}"])


def test_a_name_with_brackets_is_a_name_where_there_is_such_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a[1].json"
    path.touch()
    assert find_files([str(path)]) == (path,)


@pytest.mark.parametrize(
    ("name", "message"),
    [("none.json", "no file .*none.json"), ("*.json", "no file matches .*json"), ("", "is a folder; name its files")],
)
def test_what_is_not_there_is_told(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        find_files([str(tmp_path / name)])


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", b"1")
    path.chmod(0)
    with pytest.raises(SourceError, match="this user lacks the permission"):
        find_files([str(path)])


@pytest.mark.parametrize("change", ["content", "time"])
def test_a_file_that_changed_since_is_refused(tmp_path: Path, change: str) -> None:
    path = write(tmp_path / "a.ndjson", b"1\n2\n3\n4\n")
    source = source_of(NDJSON, path)
    first, second = source.batches(2)
    if change == "content":
        write(path, b"1\n2\n3\n44\n")
    else:
        os.utime(path, ns=(0, 0))
    with pytest.raises(
        SourceError, match=r"a.ndjson has been changed .*: expected 8 bytes, .* UTC, found \d bytes, .* UTC"
    ):
        source.read_again(second.index, second.position)
    with pytest.raises(SourceError, match="has been changed since"):
        next(source.batches(2, (first.index, first.position)))


def test_a_file_that_went_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ndjson", b"1\n2\n")
    source = source_of(NDJSON, path)
    first, _ = source.batches(1)
    path.unlink()
    with pytest.raises(SourceError, match=r"a.ndjson is gone: expected 4 bytes, .* UTC, found no file"):
        source.read_again(first.index, first.position)
    with pytest.raises(SourceError, match="is not among the job's files any more"):
        next(source_of(NDJSON).batches(1, (first.index, first.position)))
    with pytest.raises(SourceError, match="none of the files"):
        next(source_of(NDJSON).batches(1))


def test_of_files_that_a_run_has_read_those_that_went_keep_their_place(tmp_path: Path) -> None:
    for name in ("a.json", "c.json"):
        (tmp_path / name).touch()
    (tmp_path / "folder.json").mkdir()
    names = name_files([f"{tmp_path}/gone.json", f"{tmp_path}/*.json", f"{tmp_path}/none*"])
    assert [path.name for path in names] == ["gone.json", "a.json", "c.json"]


@pytest.mark.parametrize("suffix", sorted(set(PACKERS) - {""}))
def test_what_is_not_packed_as_its_name_says_is_told(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.ndjson{suffix}"
    path.write_bytes(b"not packed at all")
    with pytest.raises(SourceError, match=f"a.ndjson{suffix} cannot be read"):
        list(source_of(NDJSON, path).batches(10))


@pytest.mark.parametrize("suffix", sorted(set(PACKERS) - {""}))
def test_an_empty_file_is_no_packed_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.ndjson{suffix}"
    path.touch()
    with pytest.raises(SourceError, match=f"a.ndjson{suffix}: expected a file packed with .*, found an empty one"):
        list(source_of(NDJSON, path).batches(10))


RECORDS = [b"%d %x" % (n, n**12) for n in range(40_000)]
"""Some two megabytes: more than is read at once, and than one block of any packer."""


@pytest.mark.parametrize("suffix", sorted(set(PACKERS) - {""}))
@pytest.mark.parametrize("kept", [1, 0.9, 0.5, 0.2, 0.02, 0.0])
@pytest.mark.parametrize("count", [1000, 40_000])
def test_of_a_packed_file_that_ends_early_all_whole_records_come_before_the_error(
    tmp_path: Path, suffix: str, kept: float, count: int
) -> None:
    path = write(tmp_path / f"a.ndjson{suffix}", b"".join(record + b"\n" for record in RECORDS[:count]))
    packed = path.read_bytes()
    path.write_bytes(packed[: max(1, int(len(packed) * kept) - 9)])
    found: list[RawBatch] = []
    source = source_of(NDJSON, path)
    with pytest.raises(SourceError) as told:
        found.extend(source.batches(700))  # keeps what came before the error
    records = records_of(found)
    assert records == RECORDS[: len(records)]
    unpacked = _unpacked(path)
    assert len(records) == unpacked.count(b"\n")
    assert told.value.message == (
        f"{path} cannot be read: Truncated compressed stream behind byte {len(unpacked):,} of what it holds, unpacked; "
        f"until then the input gave {len(records):,} records"
    )
    if found:
        assert source.read_again(found[-1].index, found[-1].position) == found[-1]


@pytest.mark.parametrize(
    ("form", "text", "end", "records"),
    [
        (JsonArrayFormat(LONGEST), b"[%s]" % b", ".join(b'{"n": %d}' % n for n in range(1000)), b"},", b'{"n": %d}'),
        (CsvFormat(LONGEST), b"n\n" + b"".join(b'"%d"\n' % n for n in range(1000)), b'"\n', b'{"n":"%d"}'),
    ],
)
def test_so_do_those_of_other_formats(tmp_path: Path, form: Format, text: bytes, end: bytes, records: bytes) -> None:
    path = write(tmp_path / "a.gz", text)
    path.write_bytes(path.read_bytes()[:-500])
    found: list[RawBatch] = []
    with pytest.raises(SourceError, match="Truncated compressed stream behind byte"):
        found.extend(source_of(form, path).batches(100))
    read = records_of(found)
    assert 100 < len(read) < 1000
    assert read == [records % n for n in range(len(read))]
    assert len(read) == _unpacked(path).count(end)


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".zst"])
@pytest.mark.parametrize("parts", [[b"1\n2\n", b"3\n"], [b"", b"1\n2\n", b"", b"3\n", b""]])
def test_packed_parts_one_behind_the_other_are_one_file(tmp_path: Path, suffix: str, parts: list[bytes]) -> None:
    path = tmp_path / f"a.ndjson{suffix}"
    path.write_bytes(b"".join(map(PACKERS[suffix], parts)))
    assert records_of(check_batches(source_of(NDJSON, path), 2)) == [b"1", b"2", b"3"]


def _unpacked(path: Path) -> bytes:
    """As far as it goes, byte by byte."""
    stream = pa.CompressedInputStream(pa.OSFile(str(path)), CODECS[path.suffix])
    found = bytearray()
    with suppress(OSError):
        while byte := stream.read(1):
            found += byte
    return bytes(found)


LARGE_RECORDS = [
    b'{"id":"%d","text":"%s"}' % (n, b"x" * size) for n, size in enumerate([10, 9 << 20, 10, 17 << 20, 10])
]


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [("ndjson", ""), ("ndjson", ".zst"), ("json_array", ""), ("csv", ""), ("csv", ".zst"), ("parquet", "")],
)
def test_a_batch_ends_with_the_record_that_fills_it(tmp_path: Path, kind: str, suffix: str) -> None:
    """Read again, or behind any batch, the batches are the same."""
    longest = 32 << 20
    texts = [orjson.loads(record) for record in LARGE_RECORDS]
    content: dict[str, bytes] = {
        "ndjson": b"\n  \n".join(LARGE_RECORDS),
        "json_array": b"[" + b",".join(LARGE_RECORDS) + b"]",
        "csv": b"id,text\n" + b"".join(f"{each['id']},{each['text']}\n".encode() for each in texts),
        "parquet": _parquet(texts),
    }
    forms: dict[str, Format] = {
        "ndjson": NdjsonFormat(longest),
        "json_array": JsonArrayFormat(longest),
        "csv": CsvFormat(longest),
        "parquet": ParquetFormat(),
    }
    batches = check_batches(source_of(forms[kind], write(tmp_path / f"a{suffix}", content[kind])), 100)
    assert [len(batch.records) for batch in batches] == [4, 1]
    assert records_of(batches) == LARGE_RECORDS


def _parquet(rows: list[dict[str, str]]) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), written)
    return written.getvalue()


@pytest.mark.parametrize("kind", ["ndjson", "json_array", "csv", "parquet"])
def test_a_file_without_records_has_no_batch(tmp_path: Path, kind: str) -> None:
    groups = io.BytesIO()
    with pq.ParquetWriter(groups, pa.schema([("id", pa.string())])) as writer:
        for count in (0, 2, 0, 1, 0):
            writer.write_table(pa.table({"id": pa.array(["1"] * count, pa.string())}))
    empty: dict[str, tuple[Format, list[bytes]]] = {
        "ndjson": (NDJSON, [b"", b"\n \n", b"\xef\xbb\xbf"]),
        "json_array": (JsonArrayFormat(LONGEST), [b"[]", b" [\n] ", b"", b" \n", b"\xef\xbb\xbf"]),
        "csv": (CsvFormat(LONGEST), [b"a,b\n", b"a,b", b"a\n\n\n", b"", b"\n\n", b"\xef\xbb\xbf"]),
        "parquet": (ParquetFormat(), [_parquet([])]),
    }
    form, contents = empty[kind]
    files = [write(tmp_path / f"{number}", content) for number, content in enumerate(contents)]
    with capture_logs() as logs:
        assert list(source_of(form, *files).batches(10)) == []
    assert [(each["event"], each["file"]) for each in logs] == [("file without records", str(file)) for file in files]
    packed = [write(tmp_path / f"{number}.{kind}.gz", content) for number, content in enumerate(contents)]
    assert kind == "parquet" or check_batches(source_of(form, *packed), 10) == []
    if kind == "parquet":
        with_empty_groups = write(tmp_path / "groups", groups.getvalue())
        assert records_of(check_batches(source_of(form, with_empty_groups), 1)) == [b'{"id":"1"}'] * 3
