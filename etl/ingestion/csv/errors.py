"""What is wrong with a CSV file, and where."""

from __future__ import annotations

from pathlib import Path

from etl.errors import SourceError

LONGEST_VALUE = 100


class CsvError(SourceError):
    """The file cannot be read as it was described; carries the place as attributes."""

    def __init__(
        self,
        path: Path,
        message: str,
        *,
        line: int | None = None,
        column: str | None = None,
        value: str | None = None,
    ) -> None:
        place = [str(path)]
        if line is not None:
            place.append(f"line {line}")
        if column is not None:
            place.append(f'column "{column}"')
        found = "" if value is None else f" (value: {value!r})"
        super().__init__(f"{', '.join(place)}: {message}{found}")
        self.path = path
        self.line = line
        self.column = column
        self.value = value


def shortened(value: str) -> str:
    """For messages: at most 100 characters."""
    return value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…"


def readable(value: bytes) -> str:
    """As text that PostgreSQL can hold, with NUL and what is not UTF-8 as \\x…, at most 100 characters."""
    text = value[: 4 * LONGEST_VALUE + 4].decode("utf-8", "backslashreplace")
    return shortened(text.replace("\0", "\\x00"))
