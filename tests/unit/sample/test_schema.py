"""sql/postgresql/source against the contract."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest
import sqlglot
from sqlglot import exp

from etl.model import TableDefinition
from etl.sample.source import SCHEMA_DIR, TABLES
from etl.sample.tables import BUILDERS_BY_DOMAIN

_CONTRACT_FILE = Path(__file__).parents[2] / "contract_tables.csv"
with _CONTRACT_FILE.open(encoding="utf-8", newline="") as _file:
    CONTRACT = list(csv.DictReader(_file))


def test_the_schema_has_the_tables_of_the_contract_each_in_its_domains_file() -> None:
    found = {
        statement.this.this.name: path.stem
        for path in SCHEMA_DIR.glob("*.sql")
        for statement in sqlglot.parse(path.read_text(encoding="utf-8"), dialect="postgres")
        if isinstance(statement, exp.Create) and statement.kind == "TABLE"
    }
    assert found == {row["table"]: row["domain"] for row in CONTRACT}


def test_tables_are_filled_in_the_order_in_which_they_are_created() -> None:
    assert list(TABLES) == [table for builders in BUILDERS_BY_DOMAIN.values() for table in builders]


@pytest.mark.parametrize("path", sorted(SCHEMA_DIR.glob("*.sql")), ids=lambda path: path.stem)
def test_every_statement_is_understood_offline(path: Path) -> None:
    statements = sqlglot.parse(path.read_text(encoding="utf-8"), dialect="postgres")
    assert statements
    assert [s for s in statements if s is None or isinstance(s, exp.Command) or s.find(exp.Command)] == []


@pytest.mark.parametrize("row", CONTRACT, ids=lambda row: row["table"])
def test_key_watermark_and_date_column(row: dict[str, str], sample_definitions: Mapping[str, TableDefinition]) -> None:
    definition = sample_definitions[row["table"]]
    assert list(definition.primary_key) == row["key"].split()
    for name in {row["watermark"], row["date_column"]} - {""}:
        assert not definition.column(name).nullable
    stamps = {"created_at"} if row["kind"] == "event" else {"created_at", "updated_at"}
    assert stamps == {"created_at", "updated_at"} & set(definition.column_names)


@pytest.mark.parametrize("row", [row for row in CONTRACT if row["watermark"]], ids=lambda row: row["table"])
def test_the_watermark_is_indexed(row: dict[str, str]) -> None:
    ddl = (SCHEMA_DIR / f"{row['domain']}.sql").read_text(encoding="utf-8")
    indexed = {
        (index.this.args["table"].name, index.this.args["params"].args["columns"][0].find(exp.Column).name)
        for index in sqlglot.parse(ddl, dialect="postgres")
        if isinstance(index, exp.Create) and index.kind == "INDEX"
    }
    assert (row["table"], row["watermark"]) in indexed


def test_postgresqls_range_of_types_is_there(sample_definitions: Mapping[str, TableDefinition]) -> None:
    types = {column.type.partition("(")[0] for table in sample_definitions.values() for column in table.columns}
    assert types == {
        "uuid", "text", "character varying", "boolean", "smallint", "integer", "bigint", "numeric", "real",
        "double precision", "date", "timestamp without time zone", "timestamp with time zone", "jsonb", "text[]",
        "integer[]", "inet", "bytea",
    }  # fmt: skip


def test_references_cross_domains_turn_back_on_themselves_and_form_a_cycle(
    sample_definitions: Mapping[str, TableDefinition],
) -> None:
    domains = {row["table"]: row["domain"] for row in CONTRACT}
    references = {
        (table, key.parent_table) for table, definition in sample_definitions.items() for key in definition.foreign_keys
    }
    assert {("company_departments", "company_employees"), ("company_employees", "company_departments")} <= references
    assert {("companies", "company_employees"), ("company_employees", "companies")} <= references
    assert {("categories", "categories"), ("company_employees", "company_employees")} <= references
    assert {("customer", "editorial"), ("customer", "ml_models"), ("audit", "compliance")} <= {
        (domains[child], domains[parent]) for child, parent in references
    }


def test_parents_stand_before_their_children_but_for_the_cycles(
    sample_definitions: Mapping[str, TableDefinition],
) -> None:
    order = [table for builders in BUILDERS_BY_DOMAIN.values() for table in builders]
    backwards = {
        (table, key.columns)
        for table, definition in sample_definitions.items()
        for key in definition.foreign_keys
        if order.index(key.parent_table) > order.index(table)
    }
    assert backwards == {
        ("companies", ("data_protection_officer_id",)),
        ("company_departments", ("head_employee_id",)),
    }
