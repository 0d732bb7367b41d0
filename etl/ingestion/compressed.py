"""Files as streams of bytes, decompressed by their name."""

from __future__ import annotations

import bz2
import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from etl.ingestion.csv_errors import CsvError

BLOCK_BYTES = 1 << 20
"""Small enough that a block and what numpy derives from it stay in the processor's cache."""

_PACKED_BYTES = 1 << 16

CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


def is_compressed(path: Path) -> bool:
    return path.suffix.lower() in CODECS


class ByteStream:
    """The bytes of one file in blocks; what is compressed must be whole to the last byte. `bytes_read`: how far it is
    in the file as it lies on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size_bytes = path.stat().st_size
            self._raw = pa.OSFile(os.fsencode(path), "rb")
        except OSError as error:
            raise CsvError(path, f"cannot be opened: {error.strerror or error}") from error
        self.bytes_read = 0
        codec = CODECS.get(path.suffix.lower())
        if codec and not self.size_bytes:
            self._raw.close()
            raise CsvError(path, f"expected a whole {codec} file, found 0 bytes; get the file again")
        self._stream = _opened(self._raw, codec)

    def blocks(self) -> Iterator[bytes]:
        while block := self._read():
            yield block

    def close(self) -> None:
        self._stream.close()
        self._raw.close()

    def _read(self) -> bytes:
        try:
            block = bytes(self._stream.read(BLOCK_BYTES))
            self.bytes_read = int(self._raw.tell())
            return block
        except (OSError, EOFError, pa.ArrowException) as error:
            expected = f"a whole {CODECS[self.path.suffix.lower()]} file" if is_compressed(self.path) else "to read on"
            at = f"at byte {self._raw.tell():,} of {self.size_bytes:,}"
            raise CsvError(self.path, f"expected {expected}, but {at}: {error}; get the file again") from error


def verify_compressed(path: Path) -> None:
    """Reads a compressed file to its end; raises SourceError where it is cut short, corrupt or followed by other bytes.

    Other files are not read: nothing in them tells whether they are whole. Where the format has a checksum (zstd: only
    if it was written with one) it is compared.
    """
    if not is_compressed(path):
        return
    stream = ByteStream(path)
    try:
        for _ in stream.blocks():
            pass
    finally:
        stream.close()


class _Bz2Stream:
    """pyarrow's own takes the bytes after an empty member for a fault."""

    def __init__(self, raw: pa.NativeFile) -> None:
        self._raw = raw
        self._member = bz2.BZ2Decompressor()

    def read(self, size: int) -> bytes:
        while True:
            packed = self._member.unused_data
            if self._member.eof:
                packed = packed or self._raw.read(_PACKED_BYTES)
                if not packed:
                    return b""
                self._member = bz2.BZ2Decompressor()
            elif self._member.needs_input:
                packed = self._raw.read(_PACKED_BYTES)
                if not packed:
                    raise EOFError("Truncated compressed stream")
            data = self._member.decompress(packed, size)
            if data:
                return data

    def close(self) -> None:
        """Holds nothing open of its own."""


def _opened(raw: pa.NativeFile, codec: str | None) -> pa.NativeFile | _Bz2Stream:
    if codec == "bz2":
        return _Bz2Stream(raw)
    return raw if codec is None else pa.CompressedInputStream(raw, codec)
