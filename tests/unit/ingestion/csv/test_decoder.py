from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from etl.errors import SourceError
from etl.ingestion.csv.decoder import utf8_blocks
from etl.ingestion.model import CsvOptions
from tests.unit.ingestion.csv_support import load, source_of, write

TEXT = 'id,name\n1,"Żółć"\n2,"naïve 😀\nx"\n'


@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", codecs.BOM_UTF8),
        ("utf-8-sig", codecs.BOM_UTF8),
        ("UTF8", codecs.BOM_UTF8),
        ("utf-16-le", b""),
        ("utf-16-le", codecs.BOM_UTF16_LE),
        ("utf-16-be", codecs.BOM_UTF16_BE),
        ("utf-16", b""),
        ("utf-32", b""),
        ("gb18030", b""),
    ],
)
def test_every_encoding_becomes_utf8_without_a_mark(encoding: str, mark: bytes, block_bytes: int) -> None:
    data = mark + TEXT.encode("utf-8" if encoding == "utf-8-sig" else encoding)
    blocks = [data[start : start + block_bytes] for start in range(0, len(data), block_bytes)]
    assert b"".join(utf8_blocks(Path("x.csv"), blocks, encoding)) == TEXT.encode()


@pytest.mark.parametrize(("encoding", "octet"), [("latin-1", b"\xe9"), ("cp1252", b"\x80"), ("iso8859-15", b"\xa4")])
def test_one_octet_encodings(tmp_path: Path, encoding: str, octet: bytes) -> None:
    rows = load(source_of(write(tmp_path, b"id\n" + octet + b"\n"), "id", CsvOptions(encoding=encoding))).rows
    assert rows == [(octet.decode(encoding),)]


@pytest.mark.parametrize("block_bytes", [1, 2, 5, 1000])
def test_what_the_encoding_does_not_have_is_told_by_line_and_character(block_bytes: int) -> None:
    data = b"id,name\n1,ok\n2,ab\x81c\n"
    blocks = [data[start : start + block_bytes] for start in range(0, len(data), block_bytes)]
    with pytest.raises(SourceError) as caught:
        list(utf8_blocks(Path("x.csv"), blocks, "cp1252"))
    assert str(caught.value) == (
        "x.csv, line 3: expected cp1252, found 0x81 at character 5 (byte 18 of the stream); "
        "name the file's own encoding with --encoding"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32"])
def test_one_mark_is_taken_off_and_a_second_is_text(encoding: str) -> None:
    mark = "\ufeff" if encoding in ("utf-8", "utf-16-be") else ""  # the others write their own
    data = f"{mark}\ufeffid\n".encode(encoding)
    assert b"".join(utf8_blocks(Path("x.csv"), [data], encoding)) == "\ufeffid\n".encode()


@pytest.mark.parametrize("block_bytes", range(1, 16))
def test_a_broken_pair_of_utf16_is_told(block_bytes: int) -> None:
    data = "a\n😀b".encode("utf-16-le") + b"\x00\xdc" + "c".encode("utf-16-le")
    blocks = [data[start : start + block_bytes] for start in range(0, len(data), block_bytes)]
    with pytest.raises(SourceError, match=r"line 2: expected utf-16-le, found 0x00 0xdc at character 3 \(byte 11 "):
        list(utf8_blocks(Path("x.csv"), blocks, "utf-16-le"))


def test_half_a_character_at_the_end_is_told() -> None:
    with pytest.raises(SourceError, match=r"line 2: expected utf-16-le, found 0x62 at character 1 \(byte 5 "):
        list(utf8_blocks(Path("x.csv"), ["a\n".encode("utf-16-le") + b"b"], "utf-16-le"))


def test_the_order_of_octets_is_not_guessed() -> None:
    with pytest.raises(SourceError, match=r"expected the byte-order mark of utf-16, found none; .* utf-16-le or "):
        list(utf8_blocks(Path("x.csv"), ["a,b\n".encode("utf-16-le")], "utf-16"))


def test_a_file_in_another_encoding_than_utf8_is_told_by_row_and_column(tmp_path: Path) -> None:
    source = source_of(write(tmp_path, b"id,name\n1,a\n2,caf\xe9\n"), "id name")
    (batch,) = source.batches()
    with pytest.raises(SourceError, match=r'line 3, column "name": expected UTF-8; .*--encoding.*caf\\\\xe9'):
        source.checked(batch)
