"""How a CSV file is written, in the bytes of its UTF-8 form."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from etl.errors import UsageError
from etl.ingestion.model import CsvOptions

UTF8 = "utf-8"
END_OF_COPY = "\\."
"""A line of this alone ends what COPY reads."""


@dataclass(frozen=True)
class Dialect:
    """RFC 4180 as COPY reads it: inside quotes a quotechar is written twice, nothing else is escaped."""

    delimiter: bytes
    quotechar: bytes
    null: bytes


def csv_option_faults(options: CsvOptions) -> list[str]:
    """Everything COPY or the reader could not work with, one sentence a fault."""
    return [
        *_character_faults("delimiter", options.delimiter),
        *_character_faults("quotechar", options.quotechar),
        *_together_faults(options),
        *_encoding_faults(options.encoding),
    ]


def dialect_of(options: CsvOptions) -> Dialect:
    """Raises UsageError with every fault."""
    faults = csv_option_faults(options)
    if faults:
        raise UsageError("; ".join(faults))
    return Dialect(options.delimiter.encode(), options.quotechar.encode(), options.null.encode())


def codec_of(encoding: str) -> str:
    """Python's name for it; `utf-8` for all its spellings."""
    name = codecs.lookup(encoding).name
    return UTF8 if name == "utf-8-sig" else name


def _character_faults(name: str, character: str) -> list[str]:
    if len(character) == 1 and character.isascii() and character not in "\r\n\0":
        return []
    return [f"--{name} {character!r}: expected one ASCII character that is neither a line break nor NUL"]


def _together_faults(options: CsvOptions) -> list[str]:
    faults = []
    if options.delimiter == options.quotechar:
        faults.append(f"--delimiter and --quotechar are the same, {options.delimiter!r}")
    unfit = {options.delimiter, options.quotechar, "\r", "\n", "\0"} - {""}
    if any(character in options.null for character in unfit) or options.null == END_OF_COPY:
        expected = f"a text without delimiter, quotechar and line breaks, other than {END_OF_COPY}"
        faults.append(f"--null {options.null!r}: expected {expected}")
    return faults


def _encoding_faults(encoding: str) -> list[str]:
    try:
        "".encode(encoding)  # refuses codecs that are no text encodings, such as base64
    except (LookupError, ValueError):
        return [f"--encoding {encoding!r} is not known: expected one of Python's for text, such as latin-1 or cp1252"]
    return []
