from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl.staging.batch.paths import getter
from etl.staging.batch.preparation import Rules, prepare
from etl.staging.batch.records import PreparedBatch, RawBatch, RejectReason
from etl.staging.batch.shapes import Shape
from etl.staging.batch.upsert import without_rows

RULES = Rules(getter("id"), getter("at"), datetime.fromisoformat)


def raw(*records: Any) -> RawBatch:
    texts = [each if isinstance(each, bytes) else orjson.dumps(each) for each in records]
    return RawBatch(0, {}, range(10, 10 + len(texts)), texts)


def accounted(batch: PreparedBatch) -> int:
    return len(batch.source_ids) + batch.rows_deduplicated + len(batch.rejects)


def test_a_record_keeps_the_text_that_was_read() -> None:
    text = b'{"id": "a", "big": 750727362669608961, "exact": 0.10, "at": "2026-01-02T03:04:05Z"}'
    prepared = prepare(raw(text), RULES)
    assert prepared.documents == [text]
    assert prepared.source_ids == ["a"]
    assert prepared.ordinals == [10]
    assert prepared.source_updated_at == [datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)]
    assert prepared.errors == [None]


def test_a_raw_newline_between_tokens_becomes_a_space() -> None:
    prepared = prepare(raw(b'{"id": "a",\n"text": "one\\ntwo"}'), RULES)
    assert prepared.documents == [b'{"id": "a", "text": "one\\ntwo"}']


def test_whole_numbers_are_source_ids() -> None:
    assert prepare(raw({"id": 7}), RULES).source_ids == ["7"]


@pytest.mark.parametrize(
    ("path", "record", "found"),
    [
        ("event_id", {"eventId": 1, "n": 2}, "nothing; did you mean 'eventId'?"),
        ("id", {"payload": {}, "n": 2}, "nothing; keys found: n, payload"),
        ("payload.user.id", {"payload": {"usr": {"id": 1}, "n": 2}}, "nothing; did you mean 'payload.usr'?"),
        ("payload.user.id", {"payload": {"user": {"key": 1}}}, "nothing; did you mean 'payload.user.key'?"),
        ("payload.user.id", {"payload": 5}, "nothing; did you mean 'payload'?"),
        ("id", {}, "an object without keys"),
        ("id", {"id": None}, "null"),
        ("id", {"id": ""}, "an empty text"),
    ],
)
def test_a_missing_source_id_is_told_with_its_path_and_what_stands_there(
    path: str, record: dict[str, Any], found: str
) -> None:
    rules = Rules(getter(path), None, datetime.fromisoformat, source_id_path=path)
    (reject,) = prepare(raw(record), rules).rejects
    assert reject.message == f"expected a source_id at {path}, found {found}"


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"{", RejectReason.NOT_JSON),
        (b'{"id": NaN}', RejectReason.NOT_JSON),
        (b'{"id": "\xff"}', RejectReason.INVALID_UTF8),
        (b"[1]", RejectReason.NOT_AN_OBJECT),
        (b"null", RejectReason.NOT_AN_OBJECT),
        (b'{"other": 1}', RejectReason.NO_SOURCE_ID),
        (b'{"id": null}', RejectReason.NO_SOURCE_ID),
        (b'{"id": ""}', RejectReason.NO_SOURCE_ID),
        (b'{"id": 1.5}', RejectReason.BAD_SOURCE_ID),
        (b'{"id": true}', RejectReason.BAD_SOURCE_ID),
        (b'{"id": "' + b"x" * 3000 + b'"}', RejectReason.BAD_SOURCE_ID),
        (b'{"id": "a", "text": "\\u0000"}', RejectReason.NUL_CHARACTER),
        (b'{"id": "a", "\\u0000": 1}', RejectReason.NUL_CHARACTER),
        (b'{"id": "a", "number": 1e400}', RejectReason.NUMBER_OUT_OF_RANGE),
        (b'{"id": "a", "text": "\\ud800"}', RejectReason.NOT_JSON),
    ],
)
def test_what_postgresql_cannot_hold_is_rejected_with_its_place(record: bytes, reason: RejectReason) -> None:
    prepared = prepare(raw({"id": "good"}, record), RULES)
    assert prepared.source_ids == ["good"]
    (reject,) = prepared.rejects
    assert (reject.ordinal, reject.reason, reject.record) == (11, reason, record)
    assert "expected" in reject.message


def test_text_that_only_looks_like_nul_is_kept() -> None:
    assert prepare(raw(b'{"id": "a", "text": "\\\\u0000"}'), RULES).rejects == []


def test_a_record_that_is_too_large_is_rejected() -> None:
    rules = Rules(getter("id"), None, datetime.fromisoformat, maximum_record_bytes=20)
    (reject,) = prepare(raw({"id": "a", "text": "x" * 100}), rules).rejects
    assert reject.reason is RejectReason.TOO_LARGE
    assert "maximum_record_bytes" in reject.message


def test_a_record_that_breaks_the_rules_is_kept_with_its_errors() -> None:
    shape = Shape({"properties": {"amount": {"type": "number"}}})
    rules = Rules(getter("id"), getter("at"), datetime.fromisoformat, (("user.id", getter("user.id")),), shape)
    prepared = prepare(raw({"id": "a", "user": {"id": None}, "amount": "ten", "at": "soon"}), rules)
    errors = orjson.loads(prepared.errors[0] or b"null")
    assert [(each["path"], each["sample"]) for each in errors] == [
        ("source_updated_at", "soon"),
        ("user.id", None),
        ("amount", "ten"),
    ]
    assert (prepared.rows_invalid, prepared.required_field_errors, prepared.shape_errors) == (1, 1, 1)
    assert prepared.source_updated_at == [None]


def test_a_large_sample_is_cut() -> None:
    shape = Shape({"properties": {"amount": {"type": "number"}}})
    prepared = prepare(
        raw({"id": "a", "amount": "x" * 5000}), Rules(getter("id"), None, datetime.fromisoformat, (), shape)
    )
    (error,) = orjson.loads(prepared.errors[0] or b"null")
    assert len(error["sample"]) == 201
    assert len(error["message"]) <= 301


def test_the_latest_record_of_a_source_id_wins_else_the_last() -> None:
    old, new = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
    prepared = prepare(
        raw(
            {"id": "a", "at": new, "n": 1},
            {"id": "a", "at": old, "n": 2},
            {"id": "b", "n": 1},
            {"id": "b", "n": 2},
            {"id": "c", "at": old, "n": 1},
            {"id": "c", "n": 2},
        ),
        RULES,
    )
    assert prepared.source_ids == ["a", "b", "c"]
    assert [orjson.loads(each)["n"] for each in prepared.documents] == [1, 2, 1]
    assert prepared.ordinals == [10, 13, 14]
    assert prepared.rows_deduplicated == 3


def test_only_faults_of_records_that_are_rows_count() -> None:
    rules = Rules(getter("id"), None, datetime.fromisoformat, (("n", getter("n")), ("m", getter("m"))))
    prepared = prepare(raw({"id": "a"}, {"id": "a", "n": 1, "m": 1}, {"id": "b", "n": 1}, {"n": 1}, {"id": "c"}), rules)
    assert (prepared.rows_invalid, prepared.required_field_errors) == (2, 3)
    without_c = without_rows(prepared, {2})
    assert (without_c.rows_invalid, without_c.required_field_errors) == (1, 1)


def deep(levels: int, inner: bytes = b"1") -> bytes:
    return b'{"id": "deep", "x": ' + b"[" * levels + inner + b"]" * levels + b"}"


def test_however_deep_a_record_is_nested_it_is_a_row_or_a_reject() -> None:
    """Python, orjson and the shapes' library each have a depth of their own."""
    rules = Rules(
        getter("id"), getter("x"), datetime.fromisoformat, (), Shape({"properties": {"x": {"type": "string"}}})
    )
    for levels in (250, 253, 254, 255, 256, 300, 1000):
        prepared = prepare(raw(deep(levels), {"id": "next", "x": "2026-01-01"}), rules)
        assert prepared.source_ids == ["deep", "next"]
        assert (prepared.rows_invalid, prepared.shape_errors) == (1, 1)
        assert b"expected an instant" in (prepared.errors[0] or b"")
    nul = prepare(raw(deep(1000, b'"\\u0000"'), deep(2000), {"id": "next"}), rules)
    assert [each.reason for each in nul.rejects] == [RejectReason.NUL_CHARACTER, RejectReason.NESTED_TOO_DEEP]
    assert nul.source_ids == ["next"]


def test_whatever_goes_wrong_with_one_record_is_its_own_fault() -> None:
    def fail(value: Any) -> datetime:
        raise KeyError(value)

    prepared = prepare(
        raw({"id": "a"}, {"id": "b", "at": "soon"}, {"id": "c"}), Rules(getter("id"), getter("at"), fail)
    )
    assert prepared.source_ids == ["a", "c"]
    (reject,) = prepared.rejects
    assert (reject.reason, reject.ordinal) == (RejectReason.UNREADABLE, 11)
    assert reject.message == "expected a record that can be read: KeyError: 'soon'"


def test_a_row_that_became_no_record_says_why() -> None:
    """CSV and Parquet make the records; a JSON text from NDJSON is a record that is no object."""
    csv = replace(RULES, is_of_rows=True)
    (reject,) = prepare(raw("expected 2 fields, as the header has, found 1: x"), csv).rejects
    assert (reject.reason, reject.message) == (
        RejectReason.BROKEN_ROW,
        "expected 2 fields, as the header has, found 1: x",
    )
    (reject,) = prepare(raw("expected"), RULES).rejects
    assert (reject.reason, reject.message) == (RejectReason.NOT_AN_OBJECT, "expected a JSON object, found text")


def test_a_time_that_cannot_be_read_is_told_and_decides_nothing() -> None:
    rules = Rules(getter("id"), getter("at.time"), datetime.fromisoformat, source_updated_at_path="at.time")
    old, new = "2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00"
    prepared = prepare(
        raw(
            {"id": "later", "at": {"time": new}},
            {"id": "later", "at": {"time": "soon"}, "n": 2},
            {"id": "later", "at": {"time": old}, "n": 3},
            {"id": "in the way", "at": {"time": old}},
            {"id": "in the way", "at": new, "n": 2},
            {"id": "absent", "at": {"time": old}, "n": 1},
            {"id": "absent", "at": {"time": None}, "n": 2},
            {"id": "absent", "at": None, "n": 3},
            {"id": "mended", "at": {"time": {"day": 1}}},
            {"id": "mended", "at": {"time": old}, "n": 2},
        ),
        rules,
    )
    stored = {each["id"]: each.get("n") for each in map(orjson.loads, prepared.documents)}
    assert stored == {"later": 2, "in the way": 2, "absent": 1, "mended": 2}
    # the time that is known stays: an older record does not come back
    assert [each and each.isoformat() for each in prepared.source_updated_at] == [new, old, old, old]
    told = [orjson.loads(each)[0] if each else None for each in prepared.errors]
    assert [each and (each["path"], each["sample"]) for each in told] == [
        ("at.time", "soon"),
        ("at.time", new),
        None,
        None,
    ]
    assert told[1]["message"] == "expected an instant: expected an object on the way there, found text"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


RECORDS = st.dictionaries(st.sampled_from(["id", "at", "x"]), JSON).map(lambda record: json.dumps(record).encode())


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.binary(max_size=30) | RECORDS, max_size=10))
def test_whatever_comes_nothing_is_lost_and_nothing_raised(records: list[bytes]) -> None:
    prepared = prepare(raw(*records), RULES)
    assert accounted(prepared) == prepared.rows_attempted == len(records)
    assert len(set(prepared.source_ids)) == len(prepared.source_ids)
    assert not any(b"\n" in each for each in prepared.documents)
