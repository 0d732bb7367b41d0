"""Packed files (.gz, .bz2, .zst) as streams of what they hold, each of several members joined together."""

from __future__ import annotations

import bz2
import os
from pathlib import Path

import pyarrow as pa

CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""By the name's ending, in small letters."""

_PACKED_BYTES = 1 << 16


def codec_of(path: Path) -> str | None:
    """By the name alone; None where it says nothing of packing."""
    return CODECS.get(path.suffix.lower())


def opened(path: Path) -> pa.NativeFile:
    """The file's bytes as they lie on disk, whatever its name is made of. Raises OSError."""
    return pa.OSFile(os.fsencode(path), "rb")


def unpacked(raw: pa.NativeFile, codec: str | None) -> pa.NativeFile | Bz2Stream:
    """What `raw` holds. Reading raises OSError where it is broken or ends early."""
    if codec == "bz2":
        return Bz2Stream(raw)
    return raw if codec is None else pa.CompressedInputStream(raw, codec)


class Bz2Stream:
    """pyarrow's own takes the bytes after an empty member for a fault, and an empty file for a whole one."""

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
                    raise OSError("Truncated compressed stream")
            data = self._member.decompress(packed, size)
            if data:
                return data

    def close(self) -> None:
        self._raw.close()
