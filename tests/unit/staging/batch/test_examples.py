from __future__ import annotations

from typing import Any

import orjson

from etl.config.staging.models import JsonFiles, StagingJob
from etl.staging.batch.examples import MAXIMUM_EXAMPLES, examples_of, pointer
from etl.staging.batch.preparation import prepare
from etl.staging.batch.records import PreparedBatch, RawBatch
from etl.staging.batch.rules import rules_of
from etl.staging.batch.upsert import without_rows

SHAPE = {"properties": {"tags": {"items": {"type": "string"}}, "a/b": {"type": "integer"}}}


def prepared(*records: dict[str, Any], **changes: Any) -> PreparedBatch:
    source = JsonFiles(type="ndjson", path=("x",))
    job = StagingJob(id="e", target_table="stg_e", source=source, source_id="id", **changes)
    lines = [orjson.dumps(each) for each in records]
    return prepare(RawBatch(0, {}, range(10, 10 + len(lines)), lines), rules_of(job))


def test_each_kind_of_fault_has_its_place_and_what_stood_there() -> None:
    batch = prepared(
        {"id": "fine", "user": {"name": "ada"}},
        {"id": "k1", "user": {}, "tags": ["x", 7], "a/b": "no", "at": "tomorrow"},
        {"id": "k2", "user": {"name": None}, "tags": [{"deep": [1]}]},
        required=("user.name",),
        shape=SHAPE,
        source_updated_at="at",
    )
    told = [(each["ordinal"], each["kind"], each["path"], each["sample_value"]) for each in examples_of(batch)]
    assert told == [
        (11, "instant", "/at", '"tomorrow"'),
        (11, "required", "/user/name", None),
        *sorted([(11, "shape", "/tags/1", "7"), (11, "shape", "/a~1b", '"no"')], key=lambda each: told.index(each)),
        (12, "required", "/user/name", "null"),
        (12, "shape", "/tags/0", '{"deep":[1]}'),
    ]
    assert {each["source_id"] for each in examples_of(batch)} == {"k1", "k2"}
    assert examples_of(batch)[1]["message"] == "required, found nothing"


def test_the_first_ten_in_the_order_of_the_input_and_each_of_bounded_size() -> None:
    long = "x" * 1000
    records = [{"id": f"{number}-{long}", "n": long, long: 1} for number in range(30)]
    batch = prepared(*records, shape={"properties": {"n": {"type": "integer"}, long: {"type": "string"}}})
    found = examples_of(batch)
    assert [each["ordinal"] for each in found] == sorted(each["ordinal"] for each in found)
    assert len(found) == MAXIMUM_EXAMPLES
    assert len(orjson.dumps(found)) < 16_384
    assert examples_of(prepared({"id": 1, "n": 1}, required=("n",))) == []


def test_only_rows_count_in_the_place_that_they_took() -> None:
    batch = prepared({"id": "twice"}, {"id": "other"}, {"id": "twice", "n": 1}, {"id": "last"}, required=("n",))
    assert [each["source_id"] for each in examples_of(batch)] == ["other", "last"]
    place = batch.source_ids.index("other")
    assert [each["source_id"] for each in examples_of(without_rows(batch, {place}))] == ["last"]


def test_a_pointer() -> None:
    assert [pointer(steps) for steps in ((), ("a", 0), ("a.b", "c/d~e"))] == ["", "/a/0", "/a.b/c~1d~0e"]
