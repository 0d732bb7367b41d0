"""A raw batch → rows to store, and rejects. Nothing is lost: each record is a row, a duplicate or a reject.

A record that PostgreSQL could not hold is a reject; one that merely breaks the job's rules is stored with
`is_valid = false` and its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5 as _md5
from typing import Any

import orjson

from etl.nearest import suggestion
from etl.staging.batch.paths import MISSING, Getter, neighbours, obstacle, steps_of
from etl.staging.batch.records import Faults, PreparedBatch, RawBatch, Reject, RejectReason, RuleError
from etl.staging.batch.shapes import Shape

MAXIMUM_SOURCE_ID_BYTES = 2000
"""A key of PostgreSQL's btree holds about 2,700."""


@dataclass(frozen=True)
class Rules:
    """What a job asks of its records, ready to be applied."""

    source_id: Getter
    source_updated_at: Getter | None
    parse_instant: Callable[[Any], datetime]
    required: tuple[tuple[str, Getter], ...] = ()
    shape: Shape | None = None
    maximum_record_bytes: int = 16 * 1024 * 1024
    source_id_path: str = "id"
    source_updated_at_path: str = "source_updated_at"
    is_of_rows: bool = False
    """The source makes the records itself, of rows; of one that it cannot make it says in a text why."""


_Row = tuple[str, bytes, int, datetime | None, str, bytes | None]
"""source_id, document, ordinal, source_updated_at, digest, errors."""

_Judged = tuple[_Row, Faults | None, bool]
"""The last: whether its time cannot be read."""


class _Unstorable(Exception):
    def __init__(self, reason: RejectReason, message: str) -> None:
        self.reason, self.message = reason, message


def prepare(batch: RawBatch, rules: Rules) -> PreparedBatch:
    prepared = PreparedBatch(batch.index, batch.position, len(batch.records))
    rows: dict[str, _Row] = {}
    for ordinal, text in zip(batch.ordinals, batch.records, strict=True):
        try:
            row, faults, has_unreadable_time = _judge(ordinal, text, rules)
        except _Unstorable as fault:
            prepared.rejects.append(Reject(ordinal, fault.reason, fault.message, text))
            continue
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this record's fault alone
            message = f"expected a record that can be read: {type(error).__name__}: {error}"
            prepared.rejects.append(Reject(ordinal, RejectReason.UNREADABLE, message, text))
            continue
        if faults:
            prepared.faults[ordinal] = faults
        _place(row, rows, has_unreadable_time)
    _keep(prepared, rows)
    prepared.rows_deduplicated = prepared.rows_attempted - len(prepared.rejects) - len(rows)
    return prepared


def _judge(ordinal: int, text: bytes, rules: Rules) -> _Judged:
    record = _read(text, rules)
    source_id = _source_id(record, rules)
    errors: list[RuleError] = []
    updated_at = _source_updated_at(record, rules, errors) if rules.source_updated_at else None
    missing = _check_required(record, rules, errors) if rules.required else 0
    misshapen = _check_shape(record, rules, errors) if rules.shape else 0
    # a raw newline is white space in JSON, and here the separator of documents
    document = text.replace(b"\n", b" ") if b"\n" in text else text
    digest = _md5(text, usedforsecurity=False).hexdigest()
    row = source_id, document, ordinal, updated_at, digest, _stored(errors) if errors else None
    # as `time_fault` finds it in the table
    has_unreadable_time = updated_at is None and any(each.path == rules.source_updated_at_path for each in errors)
    return row, Faults(errors, missing, misshapen) if errors else None, has_unreadable_time


def _stored(errors: list[RuleError]) -> bytes:
    """`validation_errors` of the table."""
    return orjson.dumps([{"path": each.path, "message": each.message, "sample": each.sample} for each in errors])


# --- can it be stored? ----------------------------------------------------------------------------------------------


def _read(text: bytes, rules: Rules) -> dict[str, Any]:
    if len(text) > rules.maximum_record_bytes:
        raise _Unstorable(
            RejectReason.TOO_LARGE,
            f"expected at most {rules.maximum_record_bytes:,} bytes, found {len(text):,}; raise maximum_record_bytes",
        )
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise _unreadable(text, error) from None
    if rules.is_of_rows and isinstance(record, str):
        raise _Unstorable(RejectReason.BROKEN_ROW, _sample(record, 300))
    if not isinstance(record, dict):
        raise _Unstorable(RejectReason.NOT_AN_OBJECT, f"expected a JSON object, found {kind(record)}")
    # an escaped backslash before u0000 is harmless text: look closer
    if b"\\u0000" in text and any("\0" in each for each in _texts(record)):
        raise _Unstorable(RejectReason.NUL_CHARACTER, "expected text without \\u0000, which PostgreSQL cannot hold")
    return record


def _unreadable(text: bytes, error: orjson.JSONDecodeError) -> _Unstorable:
    try:
        text.decode()
    except UnicodeDecodeError as fault:
        return _Unstorable(
            RejectReason.INVALID_UTF8, f"expected UTF-8, found byte 0x{text[fault.start]:02x} at byte {fault.start + 1}"
        )
    if "depth limit" in error.msg:
        return _Unstorable(RejectReason.NESTED_TOO_DEEP, "expected at most 1,000 levels of nesting, found more")
    if "infinity" in error.msg:
        return _Unstorable(RejectReason.NUMBER_OUT_OF_RANGE, "expected numbers below 1e308, found a larger one")
    return _Unstorable(RejectReason.NOT_JSON, f"expected JSON: {error}")


def _texts(record: Any) -> Iterator[str]:
    """Keys and values, however deep."""
    waiting = [record]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield from value
            waiting += value.values()
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str):
            yield value


def _source_id(record: dict[str, Any], rules: Rules) -> str:
    value = rules.source_id(record)
    if type(value) is int:
        return str(value)
    path = rules.source_id_path
    if value is MISSING or value is None or value == "":
        found = _nothing_at(path, record) if value is MISSING else "null" if value is None else "an empty text"
        raise _Unstorable(RejectReason.NO_SOURCE_ID, f"expected a source_id at {path}, found {found}")
    if not isinstance(value, str):
        raise _Unstorable(
            RejectReason.BAD_SOURCE_ID, f"expected text or a whole number as source_id at {path}, found {kind(value)}"
        )
    if len(value) > MAXIMUM_SOURCE_ID_BYTES // 4 and len(value.encode()) > MAXIMUM_SOURCE_ID_BYTES:
        raise _Unstorable(
            RejectReason.BAD_SOURCE_ID, f"expected a source_id of at most {MAXIMUM_SOURCE_ID_BYTES} bytes at {path}"
        )
    return value


def _nothing_at(path: str, record: dict[str, Any]) -> str:
    names = neighbours(record, path)
    return f"nothing; {suggestion(path, names, 'keys found')}" if names else "an object without keys"


# --- is it valid? ---------------------------------------------------------------------------------------------------


def _source_updated_at(record: dict[str, Any], rules: Rules, errors: list[RuleError]) -> datetime | None:
    if rules.source_updated_at is None:
        return None
    value = rules.source_updated_at(record)
    try:
        if value is MISSING and (value := obstacle(record, rules.source_updated_at_path)) is not MISSING:
            raise ValueError(f"expected an object on the way there, found {kind(value)}")
        return None if value is MISSING or value is None else rules.parse_instant(value)
    except (ValueError, TypeError, OverflowError) as error:
        path = rules.source_updated_at_path
        errors.append(_broken("instant", path, _steps(record, path), f"expected an instant: {error}", value))
        return None


def _check_required(record: dict[str, Any], rules: Rules, errors: list[RuleError]) -> int:
    missing = 0
    for path, get in rules.required:
        value = get(record)
        if value is MISSING or value is None:
            found = "nothing" if value is MISSING else "null"
            errors.append(_broken("required", path, _steps(record, path), f"required, found {found}", value))
            missing += 1
    return missing


def _check_shape(record: dict[str, Any], rules: Rules, errors: list[RuleError]) -> int:
    if rules.shape is None or rules.shape.is_valid(record):
        return 0
    found = rules.shape.errors(record)
    errors += [_broken("shape", each.path, each.steps, each.message, each.value) for each in found]
    return len(found)


def _broken(kind: str, path: str, steps: Sequence[str | int], message: str, value: Any) -> RuleError:
    return RuleError(kind, path, steps, message, _sample(value), value is not MISSING, isinstance(value, str))


def _steps(record: dict[str, Any], path: str) -> Sequence[str]:
    """As `getter` goes."""
    return (path,) if path in record else steps_of(path)


# --- each source_id once --------------------------------------------------------------------------------------------


def _place(row: _Row, rows: dict[str, _Row], has_unreadable_time: bool) -> None:
    """The latest source_updated_at wins, and one without any is the oldest; else the last in the order of the input.

    As `upsert_batch` has it: a time that cannot be read decides nothing. Such a record takes another's place, and its
    time, so that an older one does not come back.
    """
    former = rows.get(row[0])
    if former is None or former[3] is None or (row[3] is not None and row[3] >= former[3]):
        rows[row[0]] = row
    elif has_unreadable_time:
        rows[row[0]] = *row[:3], former[3], *row[4:]


def _keep(prepared: PreparedBatch, rows: dict[str, _Row]) -> None:
    """A record that has taken another's place stands where that one stood."""
    if not rows:
        return
    ids, documents, ordinals, instants, digests, errors = zip(*rows.values(), strict=True)
    prepared.source_ids, prepared.documents, prepared.ordinals = list(ids), list(documents), list(ordinals)
    prepared.source_updated_at, prepared.hash_digests, prepared.errors = list(instants), list(digests), list(errors)
    prepared.rows_invalid = sum(error is not None for error in errors)


def kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _sample(value: Any, longest: int = 200) -> Any:
    """The value itself where it is small, else the beginning of its JSON."""
    if value is MISSING:
        return None
    if isinstance(value, int | float | bool) or value is None:
        return value
    try:
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
    except orjson.JSONEncodeError:
        return "nested too deeply to be shown"
    return text if len(text) <= longest else text[:longest] + "…"
