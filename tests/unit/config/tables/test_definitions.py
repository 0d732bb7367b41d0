from etl.config.tables.definitions import definitions_of
from etl.config.tables.models import PostgreSQLSource, TableConfig
from etl.model import ForeignKey, TableDefinition, TableKind


def table(name: str, schema: str, source: str, *parents: str) -> TableConfig:
    keys = tuple(ForeignKey(("x",), parent, ("id",)) for parent in parents)
    return TableConfig(
        name=name,
        domain="shop",
        kind=TableKind.REFERENCE,
        source=PostgreSQLSource(schema_name=schema, table=source),
        definition=TableDefinition(source, (), foreign_keys=keys),
        loads={},
    )


def parents_of(child: str, *tables: TableConfig) -> list[str]:
    definitions = definitions_of({config.name: config for config in tables})
    return [key.parent_table for key in definitions[child].foreign_keys]


def test_a_foreign_key_means_the_parent_of_its_own_schema() -> None:
    """Two schemas have a table of this name: each child belongs to its own."""
    users, old_users = table("users", "public", "users"), table("old_users", "archive", "users")
    orders, old_orders = table("orders", "public", "orders", "users"), table("old_orders", "archive", "orders", "users")
    everything = (users, old_users, orders, old_orders)
    assert parents_of("orders", *everything) == ["users"]
    assert parents_of("old_orders", *everything) == ["old_users"]


def test_a_parent_of_another_schema_is_found_where_only_one_can_be_meant() -> None:
    orders, people = table("orders", "public", "orders", "users"), table("people", "crm", "users")
    assert parents_of("orders", orders, people) == ["people"]
    assert parents_of("orders", orders, people, table("old_users", "archive", "users")) == ["users"]


def test_a_parent_that_is_not_configured_keeps_its_name() -> None:
    assert parents_of("orders", table("orders", "public", "orders", "users")) == ["users"]
