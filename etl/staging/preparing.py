"""A raw batch → rows to store, and rejects. Nothing is lost: each record is a row, a duplicate or a reject.

A record that PostgreSQL could not hold is a reject; one that merely breaks the job's rules is stored with
`is_valid = false` and its errors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
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


class _Unstorable(Exception):
    def __init__(self, reason: RejectReason, message: str) -> None:
        self.reason, self.message = reason, message


def prepare(batch: RawBatch, rules: Rules) -> PreparedBatch:
    prepared = PreparedBatch(batch.index, batch.position, len(batch.records))
    places: dict[str, int] = {}
    for ordinal, text in zip(batch.ordinals, batch.records, strict=True):
        try:
            record = _read(text, rules)
            source_id = _source_id(record, rules)
        except _Unstorable as fault:
            prepared.rejects.append(Reject(ordinal, fault.reason, fault.message, text))
            continue
        errors: list[dict[str, Any]] = []
        updated_at = _source_updated_at(record, rules, errors)
        missing = _check_required(record, rules, errors)
        misshapen = _check_shape(record, rules, errors)
        if missing or misshapen:
            prepared.faults[ordinal] = Faults(missing, misshapen)
        _keep(prepared, places, source_id, text, ordinal, updated_at, errors)
    prepared.rows_invalid = sum(error is not None for error in prepared.errors)
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


def _keep(
    prepared: PreparedBatch,
    places: dict[str, int],
    source_id: str,
    text: bytes,
    ordinal: int,
    updated_at: datetime | None,
    errors: list[dict[str, Any]],
) -> None:
    """The latest source_updated_at wins, else the last in the order of the input."""
    # a raw newline is white space in JSON, and here the separator of documents
    document = text.replace(b"\n", b" ") if b"\n" in text else text
    digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
    error = orjson.dumps(errors) if errors else None
    place = places.get(source_id)
    if place is None:
        places[source_id] = len(prepared.source_ids)
        prepared.source_ids.append(source_id)
        prepared.documents.append(document)
        prepared.ordinals.append(ordinal)
        prepared.source_updated_at.append(updated_at)
        prepared.hash_digests.append(digest)
        prepared.errors.append(error)
        return
    prepared.rows_deduplicated += 1
    stored = prepared.source_updated_at[place]
    if updated_at != stored and (updated_at is None or (stored is not None and updated_at < stored)):
        return
    prepared.documents[place] = document
    prepared.ordinals[place] = ordinal
    prepared.source_updated_at[place] = updated_at
    prepared.hash_digests[place] = digest
    prepared.errors[place] = error


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
