from __future__ import annotations

import pytest

from etl.staging.batch.shapes import MAXIMUM_ERRORS, Shape, ShapeError


def test_faults_are_named_with_path_and_value() -> None:
    age = {"properties": {"age": {"type": "integer"}}}
    shape = Shape({"type": "object", "required": ["id"], "properties": {"user": age}})
    assert shape.is_valid({"id": 1, "user": {"age": 3}})
    record = {"user": {"age": "x"}}
    assert sorted(shape.errors(record), key=lambda error: error.path) == [
        ShapeError([], '"id" is a required property', record),
        ShapeError(["user", "age"], '"x" is not of type "integer"', "x"),
    ]


def test_formats_are_checked() -> None:
    assert not Shape({"properties": {"email": {"format": "email"}}}).is_valid({"email": "nobody"})


def test_a_record_broken_throughout_gives_only_the_first_faults() -> None:
    shape = Shape({"additionalProperties": {"type": "integer"}})
    assert len(shape.errors({f"k{i}": "x" for i in range(100)})) == MAXIMUM_ERRORS


@pytest.mark.parametrize(
    "schema", [{"type": "nonsense"}, {"properties": 3}, {"$ref": "https://example.org/schema.json"}]
)
def test_what_is_no_schema_is_refused(schema: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a JSON Schema"):
        Shape(schema)
