"""A file's rows with their line numbers: CSV with a header, or a JSON object a line; packed ones too."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from etl.errors import SourceError, UsageError
from etl.files.unpacking import codec_of, opened, unpacked

CSV_SUFFIXES = (".csv",)
JSON_SUFFIXES = (".jsonl", ".ndjson", ".json")

_BLOCK_BYTES = 1 << 20
_LONGEST_FIELD = 1 << 24
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Row(NamedTuple):
    """`fault` says why it could not be read; `values` are then what stands there."""

    line: int
    values: dict[str, Any]
    fault: str = ""


def rows_of(path: Path) -> Iterator[Row]:
    """In the order of the file. UsageError where it is no such file, SourceError where it cannot be read to its end."""
    is_csv = check_log(path) in CSV_SUFFIXES
    lines = _lines(path)
    return _csv_rows(path, lines) if is_csv else _json_rows(lines)


def check_log(path: Path) -> str:
    """Its kind, by its name; UsageError where it is no log that could be read."""
    suffix = (path.with_suffix("") if codec_of(path) else path).suffix.lower()
    if suffix not in (*CSV_SUFFIXES, *JSON_SUFFIXES):
        expected = ", ".join((*CSV_SUFFIXES, *JSON_SUFFIXES))
        raise UsageError(f"expected a file of {expected} (or packed: .gz, .bz2, .zst), found {path}")
    if not path.is_file():
        raise UsageError(f"expected a file, found none of that name: {path}")
    return suffix


def _json_rows(lines: Iterator[bytes]) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield _json_row(number, line)


def _json_row(number: int, line: bytes) -> Row:
    try:
        values = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return Row(number, _as_it_stands(line), f"no JSON: {error}")
    if not isinstance(values, dict):
        return Row(number, _as_it_stands(line), f"expected a JSON object, found {type(values).__name__}")
    return Row(number, values)


def _csv_rows(path: Path, lines: Iterator[bytes]) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_FIELD)
    texts = _Texts(lines)
    reader = csv.reader(texts, strict=True)
    header = next(reader, None)
    if header is None:
        raise UsageError(f"{path}: expected a header line with the columns' names, found an empty file")
    names = [name.strip() for name in header]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise UsageError(f"{path}: expected each column once, found {', '.join(doubled)} more often")
    if "status" not in names or not {"slug", "job"} & set(names):
        raise UsageError(f"{path}: expected the columns slug (or job) and status, found {', '.join(names)}")
    while True:
        begin = reader.line_num + 1
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(begin, {"text": texts.last}, f"no CSV: {error}")
            continue
        if fields:
            yield _csv_row(begin, names, fields, texts)


def _csv_row(line: int, names: list[str], fields: list[str], texts: _Texts) -> Row:
    values = dict(zip(names, (field or None for field in fields), strict=False))
    if texts.is_broken_since(line):
        return Row(line, {"text": "\n".join(fields)}, "expected UTF-8, found other bytes")
    if len(fields) != len(names):
        return Row(line, {"fields": fields}, f"expected {len(names)} fields, found {len(fields)}")
    return Row(line, values)


class _Texts:
    """Lines as text; where one is no UTF-8 its bytes are told by their numbers, and it is remembered."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines
        self._number = 0
        self._broken = 0
        self.last = ""

    def is_broken_since(self, line: int) -> bool:
        return self._broken >= line

    def __iter__(self) -> _Texts:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._number += 1
        try:
            self.last = line.decode()
        except UnicodeDecodeError:
            self._broken = self._number
            self.last = line.decode(errors="backslashreplace")
        return self.last + "\n"


def _lines(path: Path) -> Iterator[bytes]:
    """Without their ends."""
    try:
        with closing(opened(path)) as raw, closing(unpacked(raw, codec_of(path))) as stream:
            held = b""
            is_first = True
            while block := stream.read(_BLOCK_BYTES):
                block = block.removeprefix(_BYTE_ORDER_MARK) if is_first else block
                is_first = False
                *lines, held = (held + block).split(b"\n")
                yield from (line.removesuffix(b"\r") for line in lines)
            if held:
                yield held.removesuffix(b"\r")
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror or error}") from error


def _as_it_stands(line: bytes) -> dict[str, Any]:
    return {"text": line.decode(errors="backslashreplace")}
