"""The command line's texts → UploadOptions; every fault of it together, before anything is touched."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from etl.config.limits import LONGEST_STATEMENT_SECONDS
from etl.errors import UsageError
from etl.ingestion.command.spelling import read_character, read_headers, read_names, read_order
from etl.ingestion.files import find_files, type_faults
from etl.ingestion.model import (
    BadRows,
    CopyPath,
    CsvOptions,
    FileType,
    Mode,
    NulCharacters,
    TolerantMode,
    UploadOptions,
)
from etl.ingestion.upload.checks import faults_of, identifier_fault
from etl.names import is_readable, readable

Choice = TypeVar("Choice", bound=StrEnum)

_OF_FILES = ("file", "dsn_file", "metrics_textfile")


class Reader:
    """Reads flag by flag and keeps what is wrong in `faults`.

    `raw` holds the flags by their names with _ for -; texts, or booleans for switches.
    """

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self._raw = raw
        self.faults: list[str] = []

    def refuse(self) -> None:
        """Raises UsageError with all faults, where there are any."""
        if self.faults:
            noun = "fault" if len(self.faults) == 1 else "faults"
            lines = [f"{len(self.faults)} {noun} in the command line:", *(f"  {fault}" for fault in self.faults)]
            raise UsageError("\n".join(lines))

    def checked_options(self) -> UploadOptions:
        """With what is wrong beyond the reading of each text among the faults."""
        options = self.options()
        self.faults += faults_of(options)
        return options

    def options(self) -> UploadOptions:
        headers, faults = read_headers(self.text("headers"))
        order, order_faults = read_order(self.text("dedup_order_by"))
        self.faults += [*faults, *order_faults]
        file_type = self.choice("file_type", FileType) if self._raw.get("file_type") else None
        return UploadOptions(
            files=self.files(file_type),
            table=self.text("table"),
            headers=headers,
            primary_key=read_names(self.text("pk")),
            file_type=file_type,
            mode=self.choice("mode", Mode),
            chunk_size=self.number("chunk_size", 50_000),
            concurrency=self.number("concurrency", 4),
            max_retries=self.number("max_retries", 3),
            preserve_types=self.switch("preserve_types"),
            dry_run=self.switch("dry_run"),
            resume=self.switch("resume"),
            restart=self.switch("restart"),
            csv=self.csv(),
            bad_rows=self.choice("rejects", BadRows),
            maximum_rejected=self.text("maximum_rejected") or None,
            dedup_order_by=order,
            timezone=self.text("timezone") or None,
            strict_decimals=self.switch("strict_decimals"),
            whole_floats=self.switch("whole_floats"),
            copy_path=self.choice("copy", CopyPath),
            advance_sequences=self.switch("advance_sequences"),
            create_table=self.switch("create_table"),
            lock_timeout_seconds=self.number("lock_timeout", 30),
            statement_timeout_seconds=self.number("statement_timeout", LONGEST_STATEMENT_SECONDS),
            connect_timeout_seconds=self.number("connect_timeout", 10),
            run_id=self.text("run_id") or None,
        )

    def csv(self) -> CsvOptions:
        tolerant_mode = self.choice("tolerant_mode", TolerantMode)
        return CsvOptions(
            delimiter=read_character(self.text("delimiter")),
            quotechar=read_character(self.text("quotechar")),
            encoding=self.text("encoding"),
            null=self.text("null"),
            has_header=not self.switch("no_header"),
            tolerant=tolerant_mode if self.switch("tolerant") else None,
            nul_characters=self.choice("nul_characters", NulCharacters),
        )

    def files(self, file_type: FileType | None) -> tuple[str, ...]:
        patterns = self._raw.get("files") or ()
        if not patterns:
            self.faults.append("--files is missing: expected files or patterns, such as 'data/*.csv'")
        files, faults = find_files(patterns)
        self.faults += faults
        if not self._raw.get("file_type"):
            self.faults += type_faults(files)
        return tuple(files)

    def require(self, name: str, expected: str) -> None:
        if not self.text(name):
            self.faults.append(f"{_flag(name)} is missing: {expected}")

    def names(self, flag: str, names: Iterable[str]) -> None:
        self.faults += [f"{flag}: {name!r} {fault}" for name in names if (fault := identifier_fault(name))]

    def text(self, name: str) -> str:
        """What is not UTF-8 is a fault, but in the name of a file; it may be a secret, so it is not shown."""
        text = str(self._raw.get(name) or "")
        fault = f"{_flag(name)}: expected text in UTF-8, found other bytes"
        if name not in _OF_FILES and not is_readable(text) and fault not in self.faults:
            self.faults.append(fault)
        return text if name in _OF_FILES else readable(text)

    def switch(self, name: str) -> bool:
        return bool(self._raw.get(name))

    def number(self, name: str, default: int) -> int:
        text = self.text(name).replace("_", "")
        if not text.isdecimal():
            self.faults.append(f"{_flag(name)} {self.text(name)!r}: expected a whole number")
            return default
        return int(text)

    def choice(self, name: str, kind: type[Choice]) -> Choice:
        text = self.text(name)
        try:
            return kind(text.lower())
        except ValueError:
            self.faults.append(f"{_flag(name)} {text!r}: expected {' or '.join(kind)}")
            return next(iter(kind))


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
