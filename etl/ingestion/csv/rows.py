"""Records → rows that PostgreSQL takes as they are, and rejects."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from etl.arrow.values import is_utf8
from etl.ingestion.csv.dialect import Dialect
from etl.ingestion.csv.errors import CsvError, readable
from etl.ingestion.csv.records import Fields, Malformed, Record
from etl.ingestion.model import BadRows, CsvOptions, NulCharacters, Reject, TolerantMode

_REPLACEMENT = "\ufffd".encode()
_SET_ASIDE = "--rejects reject sets such rows aside"


@dataclass
class CheckedRows:
    """What stands in `rows` has as many fields as the file has columns, is UTF-8 and has no NUL."""

    rows: list[Fields] = field(default_factory=list)
    lines: array[int] = field(default_factory=lambda: array("q"))
    rejects: list[Reject] = field(default_factory=list)
    rows_padded: int = 0
    nul_characters: int = 0
    blank_lines: int = 0

    @property
    def count(self) -> int:
        return len(self.rows) + len(self.rejects)

    @property
    def has_changes(self) -> bool:
        return bool(self.rejects or self.rows_padded or self.nul_characters or self.blank_lines)


@dataclass(frozen=True)
class _Fault:
    column: str | None
    value: str | None
    reason: str
    help: str = ""


@dataclass(frozen=True)
class RowChecker:
    path: Path
    names: tuple[str, ...]
    options: CsvOptions
    bad_rows: BadRows

    def check(self, records: Iterable[Record | Malformed], first_row: int, *, is_text: bool) -> CheckedRows:
        """Raises the first bad row as CsvError unless bad rows are to be rejected. `is_text`: see `is_text`."""
        checked = CheckedRows()
        for record in records:
            row = first_row + checked.count
            if isinstance(record, Malformed):
                self._refuse(checked, row, record.line, self._malformed(record))
            elif record.is_blank and len(self.names) > 1:
                checked.blank_lines += 1
            else:
                self._take(checked, row, record, is_text=is_text)
        return checked

    def _take(self, checked: CheckedRows, row: int, record: Record, *, is_text: bool) -> None:
        fields = record.fields
        fault = self._width_fault(fields) or (None if is_text else self._text_fault(fields))
        if fault:
            self._refuse(checked, row, record.line, fault)
            return
        missing = len(self.names) - len(fields)
        if missing:
            filler = None if self.options.tolerant is TolerantMode.NULL else b""
            fields = fields + [filler] * missing
            checked.rows_padded += 1
        nul_characters = 0 if is_text else sum(value.count(0) for value in fields if value)
        if nul_characters:
            fields = [value and self._without_nul(value) for value in fields]
            checked.nul_characters += nul_characters
        checked.rows.append(fields)
        checked.lines.append(record.line)

    def _refuse(self, checked: CheckedRows, row: int, line: int, fault: _Fault) -> None:
        if self.bad_rows is BadRows.FAIL:
            help_text = "; ".join(filter(None, [fault.help, _SET_ASIDE]))
            message = f"{fault.reason}; {help_text}"
            raise CsvError(self.path, message, line=line, column=fault.column, value=fault.value)
        checked.rejects.append(Reject(row, line, fault.column, fault.value, fault.reason))

    def _width_fault(self, fields: Fields) -> _Fault | None:
        width, found = len(self.names), len(fields)
        if found == width or (found < width and self.options.tolerant):
            return None
        reason = f"expected {width} fields, found {found}"
        if found < width:
            return _Fault(self.names[found], None, reason, "--tolerant fills up short rows")
        return _Fault(None, readable(fields[width] or b""), reason, "a delimiter within a value needs quotes around it")

    def _text_fault(self, fields: Fields) -> _Fault | None:
        for name, value in zip(self.names, fields, strict=False):
            if not value or (value.isascii() and 0 not in value):
                continue
            if not is_utf8(value):
                return _Fault(name, readable(value), "expected UTF-8", "name the file's own encoding with --encoding")
            if 0 in value and self.options.nul_characters is NulCharacters.ERROR:
                reason = "found the character NUL, which PostgreSQL's text cannot hold"
                return _Fault(name, readable(value), reason, "--nul-characters strip or replace takes it out")
        return None

    def _without_nul(self, value: bytes) -> bytes:
        is_replaced = self.options.nul_characters is NulCharacters.REPLACE
        return value.replace(b"\0", _REPLACEMENT if is_replaced else b"")

    def _malformed(self, record: Malformed) -> _Fault:
        name = self.names[record.column] if record.column < len(self.names) else None
        where = "" if record.fault_line == record.line else f" (on line {record.fault_line})"
        return _Fault(name, readable(record.value), record.reason + where)


def csv_bytes(rows: Iterable[Fields], dialect: Dialect) -> bytes:
    """Every value quoted, so that no reader takes one for NULL, `\\.` or a line end."""
    quote, null = dialect.quotechar, dialect.null
    twice = quote + quote
    return b"".join(
        dialect.delimiter.join(
            null if value is None else quote + value.replace(quote, twice) + quote for value in fields
        )
        + b"\n"
        for fields in rows
    )


def decoded(fields: Fields) -> tuple[str | None, ...]:
    return tuple(None if value is None else value.decode() for value in fields)


def is_text(data: bytes) -> bool:
    """UTF-8 without NUL: what PostgreSQL's text can hold."""
    return b"\0" not in data and is_utf8(data)
