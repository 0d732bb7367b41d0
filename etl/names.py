"""Names as the system has them, which are bytes: what is not UTF-8 in them can be shown, stored, and found again.

Python keeps such bytes as lone surrogates (PEP 383), which neither JSON nor PostgreSQL nor a terminal takes. Standard
library only, so that every room can use it.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ESCAPED_BYTE = re.compile(r"\\x[0-9a-f]{2}")
_ESCAPE = re.compile(rb"\\\\|\\x([0-9a-f]{2})")


def readable(text: str) -> str:
    r"""The text as UTF-8 can hold it: a byte that is none becomes `\xe9`."""
    return _SURROGATE.sub(_shown, text)


def is_readable(text: str) -> bool:
    return _SURROGATE.search(text) is None


def stored_name(path: Path | str) -> str:
    r"""The path as text that is written down and leads back by `path_of`: as it is, or with `\xe9` for a byte that is
    not UTF-8. Then, and where the name holds such letters itself, its own backslashes are doubled."""
    name = str(path)
    if is_readable(name) and not _ESCAPED_BYTE.search(name):
        return name
    return readable(name.replace("\\", "\\\\"))


def path_of(name: str) -> Path:
    if not _ESCAPED_BYTE.search(name):
        return Path(name)
    return Path(os.fsdecode(_ESCAPE.sub(_byte, name.encode())))


def let_output_hold_anything() -> None:
    r"""What a terminal's or a pipe's encoding lacks is written as `\xe9`, and no error."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _shown(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number - 0xDC00:02x}" if 0xDC80 <= number <= 0xDCFF else f"\\u{number:04x}"


def _byte(match: re.Match[bytes]) -> bytes:
    return bytes([int(match[1], 16)]) if match[1] else b"\\"
