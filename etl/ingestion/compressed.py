"""Files as streams of bytes, decompressed by their name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from etl.ingestion.csv_errors import CsvError

BLOCK_BYTES = 1 << 20
"""Small enough that a block and what numpy derives from it stay in the processor's cache."""

CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}


def is_compressed(path: Path) -> bool:
    return path.suffix.lower() in CODECS


class ByteStream:
    """The bytes of one file in blocks; what is compressed must be whole to the last byte."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size_bytes = path.stat().st_size
            self._raw = pa.OSFile(str(path), "rb")
        except OSError as error:
            raise CsvError(path, f"cannot be opened: {error.strerror or error}") from error
        codec = CODECS.get(path.suffix.lower())
        if codec and not self.size_bytes:
            raise CsvError(path, f"expected a whole {codec} file, found 0 bytes; get the file again")
        self._stream = pa.CompressedInputStream(self._raw, codec) if codec else self._raw

    @property
    def bytes_read(self) -> int:
        """Position in the file as it lies on disk; all of it once the stream has been closed."""
        return self.size_bytes if self._raw.closed else int(self._raw.tell())

    def blocks(self) -> Iterator[bytes]:
        while block := self._read():
            yield block

    def close(self) -> None:
        self._stream.close()
        self._raw.close()

    def _read(self) -> bytes:
        try:
            return bytes(self._stream.read(BLOCK_BYTES))
        except OSError as error:
            expected = f"a whole {CODECS[self.path.suffix.lower()]} file" if is_compressed(self.path) else "to read on"
            at = f"at byte {self.bytes_read:,} of {self.size_bytes:,}"
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
