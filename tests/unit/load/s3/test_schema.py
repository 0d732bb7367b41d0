from pyspark.sql.types import StructType

from etl.load.s3.schema import Difference, differences


def _schema(**columns: str) -> StructType:
    schema = StructType()
    for name, kind in columns.items():
        schema = schema.add(name, {"bigint": "long", "int": "integer"}.get(kind, kind))
    return schema


def test_equal_schemas_do_not_differ() -> None:
    assert not differences(_schema(id="bigint", name="string"), _schema(name="string", id="bigint"))


def test_every_difference_is_named_at_once() -> None:
    found = differences(
        _schema(id="bigint", Name="string", amount="double", new="date"),
        _schema(id="int", name="string", amount="double", gone="string"),
    )
    assert found == Difference(
        added=("new",), missing=("gone",), retyped=(("id", "int", "bigint"),), recased=(("name", "Name"),)
    )
    assert found.sentences() == [
        "column new is not in the target",
        "column gone of the target is missing",
        "column id is int in the target and bigint now",
        "column Name stands in the target as name",
    ]
