"""Packed files as streams of what they hold."""

from __future__ import annotations

import io
from contextlib import suppress
from pathlib import Path
from typing import Any

from etl.errors import SourceError
from etl.files.unpacking import opened, unpacked

BLOCK_BYTES = 1 << 20


class Unpacked(io.RawIOBase):
    """Of a file that ends early or is broken, all that can be unpacked comes before the error.

    Arrow gives up what it has unpacked in the very read that meets the break: that much is read once more, byte by
    byte, from the beginning.
    """

    def __init__(self, path: Path, codec: str) -> None:
        super().__init__()
        if not path.stat().st_size:
            raise SourceError(f"expected a file packed with {codec}, found an empty one: it was cut off")
        self._path = path
        self._codec = codec
        self._stream = self._open()
        self._offset = 0
        self._failure: OSError | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = BLOCK_BYTES) -> bytes:
        if self._failure is None:
            try:
                return self._counted(self._stream.read(size))
            except OSError as error:
                found = self._until_break(size)
                if len(found) < size:
                    self._failure = error
                if found:
                    return self._counted(found)
        raise OSError(f"{self._failure} behind byte {self._offset:,} of what it holds, unpacked")

    def close(self) -> None:
        self._stream.close()
        super().close()

    def _open(self) -> Any:
        return unpacked(opened(self._path), self._codec)

    def _counted(self, block: bytes) -> bytes:
        self._offset += len(block)
        return block

    def _until_break(self, size: int) -> bytes:
        self._stream.close()
        self._stream = self._open()
        found = bytearray()
        with suppress(OSError):
            missing = self._offset
            while missing and (block := self._stream.read(min(missing, BLOCK_BYTES))):
                missing -= len(block)
            while len(found) < size and (byte := self._stream.read(1)):
                found += byte
        return bytes(found)
