from typing import Any

import pytest
from pyspark.sql.types import (
    DecimalType,
    IntegerType,
    LongType,
    MapType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.tables.models import PostgreSQLSource, TableConfig
from etl.errors import SchemaMismatchError
from etl.load.postgresql.target.catalog import UniqueKey
from etl.load.postgresql.target.design import design_target, frame_columns, links_between
from etl.model import (
    POSTGRESQL_TYPE,
    Column,
    ColumnDefinition,
    Destination,
    ForeignKey,
    TableDefinition,
    TableKind,
    WriteMode,
)
from etl.statements.postgresql.naming import Table
from etl.statements.postgresql.tables import ForeignKeyLink, NewColumn


def config(name: str, **changes: Any) -> PostgreSQLTableLoadConfig:
    values = {"table_name": name, "target_name": name, "key": ("id",), "mode": WriteMode.UPSERT}
    return PostgreSQLTableLoadConfig(**(values | changes))


def definition(name: str, *foreign_keys: ForeignKey, **changes: Any) -> TableDefinition:
    columns = (ColumnDefinition("id", "integer", nullable=False), ColumnDefinition("other", "integer"))
    return TableDefinition(name, columns, ("id",), foreign_keys=foreign_keys, **changes)


SCHEMA = StructType([StructField("id", IntegerType()), StructField("other", IntegerType())])


def test_types_come_from_the_source_unless_a_transformer_made_another() -> None:
    schema = StructType(
        [
            StructField("id", StringType(), metadata={POSTGRESQL_TYPE: "uuid"}),
            StructField("at", TimestampType(), metadata={POSTGRESQL_TYPE: "timestamp without time zone"}),
            StructField("free", DecimalType(20, 3), metadata={POSTGRESQL_TYPE: "numeric"}),
            StructField("cast", LongType(), metadata={POSTGRESQL_TYPE: "uuid"}),
            StructField("derived", MapType(StringType(), StringType())),
        ]
    )
    assert [column.postgresql_type for column in frame_columns(schema)] == [
        "uuid",
        "timestamp without time zone",
        "numeric",
        "bigint",
        "jsonb",
    ]


def test_not_null_follows_the_key_and_the_source() -> None:
    found = design_target(SCHEMA, config("t"), {})
    assert found.new_columns == (NewColumn("id", "integer", not_null=True), NewColumn("other", "integer"))
    assert found.columns == (Column("id", "int", "integer"), Column("other", "int", "integer"))
    null_safe = design_target(SCHEMA, config("t", null_safe_key=True), {})
    assert null_safe.new_columns[0] == NewColumn("id", "integer")
    assert null_safe.unique_keys == (UniqueKey(("id",), nulls_not_distinct=True),)


def test_other_keys_are_deferrable_unless_something_refers_to_them() -> None:
    first = definition("first", unique_keys=(("other",),))
    plain = design_target(SCHEMA, config("first"), {"first": first})
    assert plain.unique_keys == (UniqueKey(("id",), primary=True), UniqueKey(("other",), immediate=False))
    second = definition("second", ForeignKey(("other",), "first", ("other",)))
    referenced = design_target(SCHEMA, config("first"), {"first": first, "second": second})
    assert referenced.unique_keys[1] == UniqueKey(("other",))
    declared = design_target(SCHEMA, config("first", conflict_target=("other",)), {"first": first})
    assert declared.unique_keys == (UniqueKey(("id",), primary=True), UniqueKey(("other",)))
    assert declared.match == ("other",)


def test_foreign_keys_of_cycles_are_checked_at_commit() -> None:
    definitions = {
        "a": definition("a", ForeignKey(("other",), "b", ("id",))),
        "b": definition("b", ForeignKey(("other",), "a", ("id",))),
        "c": definition("c", ForeignKey(("other",), "a", ("id",)), ForeignKey(("other",), "c", ("id",))),
    }
    (cyclic,) = design_target(SCHEMA, config("a"), definitions).links
    assert cyclic == ForeignKeyLink(Table("public", "a"), ("other",), Table("public", "b"), ("id",), deferred=True)
    plain, itself = design_target(SCHEMA, config("c", target_name="C"), definitions).links
    assert (plain.parent, plain.deferred) == (Table("public", "a"), False)
    assert (itself.parent, itself.deferred) == (Table("public", "C"), True)
    assert [link.child.name for link in links_between("a", definitions, "public")] == ["b", "c"]
    assert design_target(SCHEMA, config("a", foreign_keys=False), definitions).links == ()


def test_parents_and_children_stand_where_their_entries_put_them() -> None:
    definitions = {"a": definition("a"), "b": definition("b", ForeignKey(("other",), "a", ("id",)))}
    entries = {"a": config("a", target_schema="core", target_name="A table"), "b": config("b", target_name="B")}

    def tables(**changes: Any) -> dict[str, TableConfig]:
        loads = entries | {name: entries[name].model_copy(update=change) for name, change in changes.items()}
        return {name: table(name, load) for name, load in loads.items()}

    link = ForeignKeyLink(Table("public", "B"), ("other",), Table("core", "A table"), ("id",))
    assert design_target(SCHEMA, entries["b"], definitions, tables()).links == (link,)
    assert links_between("a", definitions, "core", tables()) == [link]
    assert links_between("a", definitions, "core", tables(b={"foreign_keys": False})) == []


def table(name: str, load: PostgreSQLTableLoadConfig) -> TableConfig:
    source = PostgreSQLSource(schema_name="public", table=name)
    kind = TableKind.REFERENCE
    return TableConfig(name=name, domain="test", kind=kind, source=source, loads={Destination.POSTGRESQL: load})


def test_foreign_key_of_a_dropped_column_goes_with_it() -> None:
    definitions = {"a": definition("a", ForeignKey(("gone",), "b", ("id",))), "b": definition("b")}
    assert design_target(SCHEMA, config("a"), definitions).links == ()


def test_missing_key_columns_are_named() -> None:
    with pytest.raises(SchemaMismatchError, match="the key columns day, kind in the frame of t, found id, other"):
        design_target(SCHEMA, config("t", key=("id", "day"), conflict_target=("kind",)), {})


def test_more_columns_than_a_staging_table_holds_are_refused() -> None:
    fields = [StructField(name, IntegerType()) for name in ["id", *(f"c{place}" for place in range(1_596))]]
    assert len(design_target(StructType(fields[:-1]), config("t"), {}).columns) == 1_596
    with pytest.raises(
        SchemaMismatchError, match=r"t: postgresql takes at most 1,596 columns .* found 1,597; drop some in"
    ):
        design_target(StructType(fields), config("t"), {})
