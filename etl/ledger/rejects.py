"""Rows that loads left out: streamed in by COPY, read back by filter."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
import psycopg2

from etl.ledger.statements import statement
from etl.ledger.values import Reject, RejectedExtent, RejectedRule, RejectFilter, RejectRecord, RejectStatus
from etl.model import Destination

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\x00": "\\\\x00"})


def copy_rejects(
    cursor: Any, run_id: str, table_name: str, destination: Destination | None, rows: Iterable[Reject]
) -> int:
    """One COPY, a row at a time: the rows may be more than memory holds."""
    owner = (run_id, table_name, None if destination is None else str(destination))
    stream = CopyStream(_copy_lines(owner, rows))
    try:
        cursor.copy_expert(statement("copy_rejects"), stream)
    except psycopg2.Error:
        # psycopg2 reports a cancelled COPY where it was the rows' own source that failed
        if stream.failure is not None:
            raise stream.failure from None
        raise
    return int(cursor.rowcount)


def list_rejects(cursor: Any, chosen: RejectFilter, limit: int) -> list[RejectRecord]:
    cursor.execute(statement("rejects"), _conditions(chosen) | {"limit": limit})
    return [_record(row) for row in cursor.fetchall()]


def count_rejects(cursor: Any, chosen: RejectFilter) -> int:
    cursor.execute(statement("count_rejects"), _conditions(chosen))
    return int(cursor.fetchone()["count"])


def find_reject(cursor: Any, reject_id: int) -> RejectRecord | None:
    cursor.execute(statement("reject"), {"reject_id": reject_id})
    row = cursor.fetchone()
    return None if row is None else _record(row)


def find_waiting_tables(cursor: Any) -> list[str]:
    cursor.execute(statement("waiting_tables"))
    return [row["table_name"] for row in cursor.fetchall()]


def find_rejected_rules(cursor: Any) -> list[tuple[str, int]]:
    cursor.execute(statement("rejected_rules"))
    return [(row["rule"], row["rows"]) for row in cursor.fetchall()]


def find_rejected_by_rule(cursor: Any, run_id: str) -> list[RejectedRule]:
    cursor.execute(statement("rejected_by_rule"), {"run_id": run_id})
    named = [(row, Destination(row["destination"]) if row["destination"] else None) for row in cursor.fetchall()]
    return [RejectedRule(**{**row, "destination": destination}) for row, destination in named]


def find_rejected_tables(cursor: Any, rule: str) -> list[str]:
    cursor.execute(statement("rejected_tables"), {"rule": rule})
    return [row["table_name"] for row in cursor.fetchall()]


def find_extents(cursor: Any, table_name: str, rule: str, column: str, renamed: str) -> list[RejectedExtent]:
    values = {"table_name": table_name, "rule": rule, "column": column, "renamed": renamed}
    cursor.execute(statement("rejected_extents"), values)
    named = [(row, Destination(row["destination"]) if row["destination"] else None) for row in cursor.fetchall()]
    return [RejectedExtent(**{**row, "destination": destination}) for row, destination in named]


def resolve(cursor: Any, run_id: str, table_name: str, rule: str, extent: RejectedExtent) -> None:
    cursor.execute(
        statement("resolve_rejected"),
        {
            "run_id": run_id,
            "table_name": table_name,
            "rule": rule,
            "destination": extent.destination and str(extent.destination),
            "last_reject_id": extent.last_reject_id,
        },
    )


def jsonb_text(text: str) -> str:
    """JSON that jsonb takes: what it refuses (U+0000, lone surrogates, NaN, no JSON at all) is kept as escaped text."""
    if "\\u0000" not in text and "\x00" not in text:
        try:
            orjson.loads(text)
        except (orjson.JSONDecodeError, UnicodeEncodeError):
            pass
        else:
            return text
    try:
        value = json.loads(text, parse_constant=str, parse_float=_number, strict=False)
    except (ValueError, RecursionError):
        value = {"_text": text}
    return json.dumps(_acceptable(value), ensure_ascii=False)


class CopyStream(io.TextIOBase):
    """The file that COPY reads: lines from an iterator, joined to what was asked for; keeps the iterator's error."""

    def __init__(self, lines: Iterator[str]) -> None:
        self.failure: BaseException | None = None
        self._lines = lines
        self._rest = ""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> str:
        wanted = 1 << 30 if size is None or size < 0 else size
        try:
            text = self._rest + self._lines_of(wanted - len(self._rest))
        except BaseException as error:
            self.failure = error
            raise
        self._rest = text[wanted:]
        return text[:wanted]

    def _lines_of(self, wanted: int) -> str:
        parts, length = [], 0
        while length < wanted and (line := next(self._lines, "")):
            parts.append(line)
            length += len(line)
        return "".join(parts)


def _copy_lines(owner: tuple[str | None, ...], rows: Iterable[Reject]) -> Iterator[str]:
    prefix = "\t".join(map(_field, owner))
    for row in rows:
        yield "\t".join((prefix, _field(row.rule), _field(row.reason), _field(jsonb_text(row.row)))) + "\n"


def _field(value: str | None) -> str:
    if value is None:
        return "\\N"
    return value.translate(_ESCAPES).encode("utf-8", "backslashreplace").decode("utf-8")


def _number(text: str) -> float | str:
    """Text where a float would lose digits."""
    number = float(text)
    return number if repr(number) == text else text


def _acceptable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\x00", "\\u0000").encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_acceptable(key): _acceptable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_acceptable(entry) for entry in value]
    return value


def _conditions(chosen: RejectFilter) -> dict[str, Any]:
    return {
        "run_id": chosen.run_id,
        "table_name": chosen.table_name,
        "rule": chosen.rule,
        "status": None if chosen.status is None else str(chosen.status),
    }


def _record(row: Mapping[str, Any]) -> RejectRecord:
    facts = dict(row)
    facts["destination"] = Destination(facts["destination"]) if facts["destination"] else None
    facts["status"] = RejectStatus(facts["status"])
    return RejectRecord(**facts)
