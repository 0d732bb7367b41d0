from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from etl.errors import SourceError
from etl.ingestion.compressed import ByteStream, verify_compressed
from tests.unit.ingestion.csv_support import load, source_of, write

DATA = b"id,name\n" + b"".join(b"%d,name %d\n" % (number, number * number) for number in range(300))


def _zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return bytes(sink.getvalue())


Pack = Callable[[bytes], bytes]
PACKERS: dict[str, Pack] = {".gz": gzip.compress, ".bz2": bz2.compress, ".zst": _zstd}
every_codec = pytest.mark.parametrize(("suffix", "pack"), PACKERS.items())


@every_codec
def test_a_compressed_file_is_read_as_the_file_it_holds(tmp_path: Path, suffix: str, pack: Pack) -> None:
    path = write(tmp_path, pack(DATA), f"rows.csv{suffix}")
    source = source_of(path, "id name")
    assert len(load(source).rows) == 300
    assert source.bytes_read == source.size_bytes == path.stat().st_size
    verify_compressed(path)


@every_codec
def test_files_one_after_another_are_one(tmp_path: Path, suffix: str, pack: Pack) -> None:
    path = write(tmp_path, pack(DATA[:1000]) + pack(b"") + pack(DATA[1000:]), f"rows{suffix.upper()}")
    assert b"".join(ByteStream(path).blocks()) == DATA


@every_codec
def test_wherever_it_is_cut_a_compressed_file_is_not_whole(tmp_path: Path, suffix: str, pack: Pack) -> None:
    packed = pack(DATA)
    for size in range(len(packed)):
        path = write(tmp_path, packed[:size], f"rows{suffix}")
        with pytest.raises(SourceError, match=rf"rows{suffix}: expected a whole \w+ file.*get the file again"):
            verify_compressed(path)


@every_codec
def test_a_second_file_that_is_cut_is_found(tmp_path: Path, suffix: str, pack: Pack) -> None:
    second = pack(DATA)
    for size in range(1, len(second), 7):
        path = write(tmp_path, pack(DATA) + second[:size], f"rows{suffix}")
        with pytest.raises(SourceError, match="expected a whole"):
            verify_compressed(path)


@every_codec
@pytest.mark.parametrize("garbage", [b"\n", b"\0" * 600, b"id,name\n", b"\x1f\x8b"])
def test_other_bytes_behind_it_are_found(tmp_path: Path, suffix: str, pack: Pack, garbage: bytes) -> None:
    path = write(tmp_path, pack(DATA) + garbage, f"rows{suffix}")
    with pytest.raises(SourceError, match="expected a whole"):
        verify_compressed(path)


@every_codec
def test_what_only_has_the_name_is_told(tmp_path: Path, suffix: str, pack: Pack) -> None:
    with pytest.raises(SourceError, match="expected a whole"):
        verify_compressed(write(tmp_path, DATA, f"rows{suffix}"))


@pytest.mark.parametrize("suffix", [".gz", ".bz2"])
def test_a_flipped_bit_is_found(tmp_path: Path, suffix: str) -> None:
    packed = bytearray(PACKERS[suffix](DATA))
    packed[len(packed) // 2] ^= 1
    with pytest.raises(SourceError, match="expected a whole"):
        verify_compressed(write(tmp_path, bytes(packed), f"rows{suffix}"))


def test_the_end_of_a_file_is_found_where_blocks_end(tmp_path: Path) -> None:
    """A member that ends where a read of the decompressor ends hides neither what follows nor that nothing does."""
    head = gzip.compress(b"", mtime=0)
    for size in range(65536 - 3, 65536 + 3):
        body = DATA * 10
        padding = size - len(head) - len(gzip.compress(body))
        named = _named_gzip(body, padding)
        assert len(named) + len(head) == size
        assert b"".join(ByteStream(write(tmp_path, named + head, "rows.gz")).blocks()) == body
        with pytest.raises(SourceError, match="expected a whole"):
            verify_compressed(write(tmp_path, named + head[:-1], "rows.gz"))
        with pytest.raises(SourceError, match="expected a whole"):
            verify_compressed(write(tmp_path, named + head + b"x", "rows.gz"))


def test_other_files_are_not_read_for_it(tmp_path: Path) -> None:
    verify_compressed(write(tmp_path, b"\x1f\x8b no gzip", "rows.csv"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.csv: cannot be opened: No such file"):
        ByteStream(tmp_path / "none.csv")


def _named_gzip(data: bytes, padding: int) -> bytes:
    """With a file name in its header that is as long as the padding."""
    packed = bytearray(gzip.compress(data, mtime=0))
    packed[3] |= 8
    return bytes(packed[:10]) + b"n" * (padding - 1) + b"\0" + bytes(packed[10:])
