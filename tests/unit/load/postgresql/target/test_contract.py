from dataclasses import replace
from typing import Any

import pytest

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.errors import SchemaMismatchError
from etl.load.postgresql.target.catalog import TargetColumn, TargetTable, UniqueKey
from etl.load.postgresql.target.contract import Fit, agree, fit, missing_arbiter
from etl.load.postgresql.target.design import Design
from etl.model import Column, SchemaContract, WriteMode
from etl.statements.postgresql.naming import Table

TABLE = Table("public", "items")
DESIGN = Design(
    TABLE,
    (Column("id", "int", "integer"), Column("name", "string", "text")),
    (),
    key=("id",),
    match=("id",),
    null_safe=False,
)
TARGET = TargetTable(
    TABLE, (TargetColumn("id", "integer", not_null=True), TargetColumn("name", "text")), (UniqueKey(("id",)),)
)


def config(**changes: Any) -> PostgreSQLTableLoadConfig:
    values = {"table_name": "items", "target_name": "items", "key": ("id",), "mode": WriteMode.UPSERT}
    return PostgreSQLTableLoadConfig(**(values | changes))


@pytest.mark.parametrize(
    ("frame_type", "target_type", "expected"),
    [
        ("uuid", "uuid", Fit.SAME),
        ("uuid", "text", Fit.FITS),
        ("jsonb", "character varying", Fit.FITS),
        ("smallint", "bigint", Fit.FITS),
        ("bigint", "integer", Fit.NARROWS),
        ("real", "double precision", Fit.FITS),
        ("double precision", "real", Fit.NARROWS),
        ("character varying(3)", "character varying(4)", Fit.FITS),
        ("character varying(5)", "character varying(4)", Fit.NARROWS),
        ("text", "character varying(4)", Fit.NARROWS),
        ("uuid", "character varying(36)", Fit.FITS),
        ("text", "uuid", Fit.PARSED),
        ("text", "jsonb", Fit.PARSED),
        ("character varying(9)", "integer", Fit.PARSED),
        ("text", "numeric(5,2)", Fit.PARSED),
        ("numeric(12,2)", "numeric(14,2)", Fit.FITS),
        ("numeric(12,2)", "numeric(14,1)", Fit.NARROWS),
        ("numeric(12,2)", "numeric(12,4)", Fit.NARROWS),
        ("numeric(12,2)", "numeric", Fit.FITS),
        ("numeric", "numeric(12,2)", Fit.NARROWS),
        ("integer", "numeric(10,0)", Fit.FITS),
        ("integer", "numeric(9,0)", Fit.NARROWS),
        ("numeric(12,2)", "integer", Fit.NARROWS),
        ("date", "timestamp with time zone", Fit.FITS),
        ("timestamp without time zone", "timestamp with time zone", Fit.FITS),
        ("timestamp with time zone", "date", Fit.FOREIGN),
        ("boolean", "integer", Fit.FOREIGN),
        ("date", "numeric", Fit.FOREIGN),
        ("integer[]", "text[]", Fit.FOREIGN),
        ("integer", "double precision", Fit.FITS),
    ],
)
def test_fit(frame_type: str, target_type: str, expected: Fit) -> None:
    assert fit(frame_type, target_type) is expected


def test_equal_schemas_agree_without_ddl() -> None:
    agreement = agree(DESIGN, TARGET, config())
    assert (agreement.ddl, agreement.written, agreement.checked) == ((), DESIGN.columns, ())


def test_evolve_adds_and_widens() -> None:
    target = replace(TARGET, columns=(TargetColumn("id", "smallint"),))
    agreement = agree(DESIGN, target, config())
    assert agreement.ddl == (
        'ALTER TABLE "public"."items" ALTER COLUMN "id" TYPE integer',
        'ALTER TABLE "public"."items" ADD COLUMN "name" text',
    )
    assert [(column.name, column.type) for column in agreement.target.columns] == [("id", "integer"), ("name", "text")]


def test_evolve_refuses_more_columns_than_a_table_has() -> None:
    many = tuple(TargetColumn(f"c{place}", "smallint") for place in range(1_599))
    with pytest.raises(SchemaMismatchError, match=r"2 new columns would make 1,601, more than a table .* \(1,600\)"):
        agree(DESIGN, replace(TARGET, columns=many), config())


def test_evolve_refuses_what_would_lose_values_either_way() -> None:
    target = replace(TARGET, columns=(TargetColumn("id", "integer"), TargetColumn("name", "date[]")))
    design = replace(DESIGN, columns=(DESIGN.columns[0], Column("name", "date", "date")))
    with pytest.raises(SchemaMismatchError, match=r"column name narrows date to date\[\]"):
        agree(design, target, config())


@pytest.mark.parametrize("contract", list(SchemaContract))
def test_extra_column_that_needs_a_value_is_refused_by_every_contract(contract: SchemaContract) -> None:
    target = replace(TARGET, columns=(*TARGET.columns, TargetColumn("more", "text", not_null=True)))
    with pytest.raises(SchemaMismatchError, match="extra column more"):
        agree(DESIGN, target, config(schema_contract=contract))


@pytest.mark.parametrize(
    "column",
    [
        TargetColumn("more", "text"),
        TargetColumn("more", "text", not_null=True, has_default=True),
        TargetColumn("more", "integer", not_null=True, identity="d"),
        TargetColumn("more", "integer", not_null=True, generated="s"),
    ],
)
def test_extra_column_that_needs_none_is_left_alone(column: TargetColumn) -> None:
    target = replace(TARGET, columns=(*TARGET.columns, column))
    assert agree(DESIGN, target, config(schema_contract=SchemaContract.FREEZE)).written == DESIGN.columns


def test_discard_contracts_drop_unknown_columns_and_check_narrow_ones() -> None:
    target = replace(TARGET, columns=(TargetColumn("id", "smallint"),))
    by_row = agree(DESIGN, target, config(schema_contract=SchemaContract.DISCARD_ROW))
    by_value = agree(DESIGN, target, config(schema_contract=SchemaContract.DISCARD_VALUE))
    assert (by_row.unknown, by_value.unknown) == (DESIGN.columns[1:], ())
    assert by_row.checked == by_value.checked == ("id",)
    assert by_row.written == by_value.written == DESIGN.columns[:1]


def test_generated_columns_are_not_written() -> None:
    target = replace(TARGET, columns=(TARGET.columns[0], TargetColumn("name", "text", generated="s")))
    agreement = agree(DESIGN, target, config())
    assert (agreement.written, agreement.generated) == (DESIGN.columns[:1], ("name",))


@pytest.mark.parametrize(
    "keys",
    [
        (),
        (UniqueKey(("name",)),),
        (UniqueKey(("id", "name")),),
        (UniqueKey(("id",), immediate=False),),
    ],
)
def test_missing_arbiter(keys: tuple[UniqueKey, ...]) -> None:
    assert missing_arbiter(DESIGN, replace(TARGET, unique_keys=keys)) == (
        'ALTER TABLE "public"."items" ADD UNIQUE ("id")'
    )


def test_null_safe_arbiter_must_treat_nulls_as_equal() -> None:
    design = replace(DESIGN, null_safe=True)
    assert missing_arbiter(design, TARGET) == 'ALTER TABLE "public"."items" ADD UNIQUE NULLS NOT DISTINCT ("id")'
    assert missing_arbiter(design, replace(TARGET, unique_keys=(UniqueKey(("id",), nulls_not_distinct=True),))) is None
