"""A raw batch → rows to store, and rejects. Nothing is lost: each record is a row, a duplicate or a reject.

A record that PostgreSQL could not hold is a reject; one that merely breaks the job's rules is stored with
`is_valid = false` and its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import md5 as _md5
from typing import Any

import orjson

from etl.staging.paths import MISSING, Getter
from etl.staging.records import Faults, PreparedBatch, RawBatch, Reject, RejectReason
from etl.staging.shapes import Shape, ShapeError

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


_Row = tuple[str, bytes, int, datetime | None, str, bytes | None]
"""source_id, document, ordinal, source_updated_at, digest, errors."""


class _Unstorable(Exception):
    def __init__(self, reason: RejectReason, message: str) -> None:
        self.reason, self.message = reason, message


def prepare(batch: RawBatch, rules: Rules) -> PreparedBatch:
    prepared = PreparedBatch(batch.index, batch.position, len(batch.records))
    rows: dict[str, _Row] = {}
    has_checks = bool(rules.required or rules.shape)
    for ordinal, text in zip(batch.ordinals, batch.records, strict=True):
        try:
            record = _read(text, rules)
            source_id = _source_id(record, rules)
        except _Unstorable as fault:
            prepared.rejects.append(Reject(ordinal, fault.reason, fault.message, text))
            continue
        errors: list[dict[str, Any]] = []
        updated_at = _source_updated_at(record, rules, errors) if rules.source_updated_at else None
        if has_checks:
            missing = _check_required(record, rules, errors)
            misshapen = _check_shape(record, rules, errors)
            if missing or misshapen:
                prepared.faults[ordinal] = Faults(missing, misshapen)
        if source_id in rows and _is_older(updated_at, rows[source_id]):
            continue
        # a raw newline is white space in JSON, and here the separator of documents
        document = text.replace(b"\n", b" ") if b"\n" in text else text
        digest = _md5(text, usedforsecurity=False).hexdigest()
        rows[source_id] = source_id, document, ordinal, updated_at, digest, orjson.dumps(errors) if errors else None
    _keep(prepared, rows)
    prepared.rows_deduplicated = prepared.rows_attempted - len(prepared.rejects) - len(rows)
    return prepared


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
    if not isinstance(record, dict):
        raise _Unstorable(RejectReason.NOT_AN_OBJECT, f"expected a JSON object, found {_kind(record)}")
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
    if "infinity" in error.msg:
        return _Unstorable(RejectReason.NUMBER_OUT_OF_RANGE, "expected numbers below 1e308, found a larger one")
    return _Unstorable(RejectReason.NOT_JSON, f"expected JSON: {error}")


def _texts(value: Any) -> Iterator[str]:
    """Keys and values, however deep."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _source_id(record: dict[str, Any], rules: Rules) -> str:
    value = rules.source_id(record)
    if type(value) is int:
        return str(value)
    if value is MISSING or value is None or value == "":
        raise _Unstorable(
            RejectReason.NO_SOURCE_ID, f"expected a source_id, found {'nothing' if value is MISSING else repr(value)}"
        )
    if not isinstance(value, str):
        raise _Unstorable(
            RejectReason.BAD_SOURCE_ID, f"expected text or a whole number as source_id, found {_kind(value)}"
        )
    if len(value) > MAXIMUM_SOURCE_ID_BYTES // 4 and len(value.encode()) > MAXIMUM_SOURCE_ID_BYTES:
        raise _Unstorable(
            RejectReason.BAD_SOURCE_ID, f"expected a source_id of at most {MAXIMUM_SOURCE_ID_BYTES} bytes"
        )
    return value


# --- is it valid? ---------------------------------------------------------------------------------------------------


def _source_updated_at(record: dict[str, Any], rules: Rules, errors: list[dict[str, Any]]) -> datetime | None:
    if rules.source_updated_at is None:
        return None
    value = rules.source_updated_at(record)
    if value is MISSING or value is None:
        return None
    try:
        return rules.parse_instant(value)
    except (ValueError, TypeError, OverflowError) as error:
        errors.append(
            {"path": "source_updated_at", "message": f"expected an instant: {error}", "sample": _sample(value)}
        )
        return None


def _check_required(record: dict[str, Any], rules: Rules, errors: list[dict[str, Any]]) -> int:
    missing = 0
    for path, get in rules.required:
        value = get(record)
        if value is MISSING or value is None:
            found = "nothing" if value is MISSING else "null"
            errors.append({"path": path, "message": f"required, found {found}", "sample": None})
            missing += 1
    return missing


def _check_shape(record: dict[str, Any], rules: Rules, errors: list[dict[str, Any]]) -> int:
    if rules.shape is None or rules.shape.is_valid(record):
        return 0
    found: list[ShapeError] = rules.shape.errors(record)
    errors += [{"path": each.path, "message": each.message, "sample": _sample(each.value)} for each in found]
    return len(found)


# --- each source_id once --------------------------------------------------------------------------------------------


def _is_older(updated_at: datetime | None, other: _Row) -> bool:
    """The latest source_updated_at wins, else the last in the order of the input."""
    stored = other[3]
    return updated_at != stored and (updated_at is None or (stored is not None and updated_at < stored))


def _keep(prepared: PreparedBatch, rows: dict[str, _Row]) -> None:
    """A record that has taken another's place stands where that one stood."""
    if not rows:
        return
    ids, documents, ordinals, instants, digests, errors = zip(*rows.values(), strict=True)
    prepared.source_ids, prepared.documents, prepared.ordinals = list(ids), list(documents), list(ordinals)
    prepared.source_updated_at, prepared.hash_digests, prepared.errors = list(instants), list(digests), list(errors)
    prepared.rows_invalid = sum(error is not None for error in errors)


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def _sample(value: Any, longest: int = 200) -> Any:
    """The value itself where it is small, else the beginning of its JSON."""
    if value is MISSING:
        return None
    if isinstance(value, int | float | bool) or value is None:
        return value
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return text if len(text) <= longest else text[:longest] + "…"
