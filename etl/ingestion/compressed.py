"""Files as streams of bytes, decompressed by their name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from etl.files.unpacking import codec_of, opened, unpacked
from etl.ingestion.csv.errors import CsvError

BLOCK_BYTES = 1 << 20
"""Small enough that a block and what numpy derives from it stay in the processor's cache."""


class ByteStream:
    """The bytes of one file in blocks; what is compressed must be whole to the last byte. `bytes_read`: how far it is
    in the file as it lies on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.size_bytes = path.stat().st_size
            self._raw = opened(path)
        except OSError as error:
            raise CsvError(path, f"cannot be opened: {error.strerror or error}") from error
        self.bytes_read = 0
        codec = self._codec = codec_of(path)
        if codec and not self.size_bytes:
            self._raw.close()
            raise CsvError(path, f"expected a whole {codec} file, found 0 bytes; get the file again")
        self._stream = unpacked(self._raw, codec)

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
        except OSError as error:
            expected = f"a whole {self._codec} file" if self._codec else "to read on"
            at = f"at byte {self._raw.tell():,} of {self.size_bytes:,}"
            raise CsvError(self.path, f"expected {expected}, but {at}: {error}; get the file again") from error


def verify_compressed(path: Path) -> None:
    """Reads a compressed file to its end; raises SourceError where it is cut short, corrupt or followed by other bytes.

    Other files are not read: nothing in them tells whether they are whole. Where the format has a checksum (zstd: only
    if it was written with one) it is compared.
    """
    if codec_of(path) is None:
        return
    stream = ByteStream(path)
    try:
        for _ in stream.blocks():
            pass
    finally:
        stream.close()
