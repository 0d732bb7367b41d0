from __future__ import annotations

from typing import Any

from etl.config.tables.models import PostgreSQLSource, TableConfig, TransformConfig
from etl.config.tables.origins import Origin, column_origins
from etl.model import ColumnDefinition, TableKind

COLUMNS = (
    ColumnDefinition("id", "bigint", nullable=False),
    ColumnDefinition("mail", "character varying(200)"),
    ColumnDefinition("first", "text"),
    ColumnDefinition("last", "text"),
    ColumnDefinition("born", "date"),
)


def origins(**transform: Any) -> dict[str, Origin]:
    table = TableConfig(
        name="people",
        domain="shop",
        kind=TableKind.REFERENCE,
        key=("id",),
        source=PostgreSQLSource(table="people"),
        transform=TransformConfig(**transform),
        loads={},
    )
    return column_origins(table, COLUMNS)


def test_without_steps_every_column_is_its_source() -> None:
    assert origins() == {column.name: Origin((column.name,)) for column in COLUMNS}


def test_a_renamed_column_keeps_its_values_and_a_dropped_one_is_gone() -> None:
    found = origins(rename={"mail": "email"}, drop=("last",))
    assert found["email"] == Origin(("mail",))
    assert set(found) == {"id", "email", "first", "born"}


def test_what_a_step_may_alter_is_no_identity() -> None:
    found = origins(trim=True, cast={"born": "text"}, default={"id": 0})
    assert {name for name, origin in found.items() if origin.is_identity} == set()
    assert origins(trim=("first",))["last"].is_identity
    assert origins(trim=True)["id"].is_identity
    assert not origins(normalize_case=("last",), allowed={"last": ("A",)})["last"].is_identity


def test_a_derived_column_is_made_of_all_that_its_expression_names() -> None:
    found = origins(
        rename={"mail": "email"},
        derive={"name": "concat(FIRST, ' ', last)", "label": "concat(name, email)", "one": "1", "born": "year(born)"},
    )
    assert found["name"] == Origin(("first", "last"), is_identity=False)
    assert found["label"] == Origin(("first", "last", "mail"), is_identity=False)
    assert found["one"].columns == ()
    assert found["born"] == Origin(("born",), is_identity=False)


def test_what_is_hashed_or_masked_is_hidden() -> None:
    found = origins(rename={"mail": "email"}, hash=("email",), mask={"last": "name"})
    assert found["email"] == Origin(("mail",), is_identity=False, is_hidden=True)
    assert found["last"] == Origin(("last",), is_identity=False, is_hidden=True)
    assert not found["first"].is_hidden
