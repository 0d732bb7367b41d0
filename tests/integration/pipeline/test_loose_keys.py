"""Keys whose `=` is looser than identity, of types that every server has: what each store makes of a respelt one."""

from __future__ import annotations

import pytest

from tests.integration.pipeline.conftest import Shop, Stores, load_of

pytestmark = pytest.mark.stack

KEYS = {
    "of_numeric": ("numeric", "1.0", "1.00"),
    "of_float": ("float8", "0", "-0"),
    "of_interval": ("interval", "30 days", "1 mon"),
    "of_jsonb": ("jsonb", '{"v": 1.0}', '{"v": 1.00}'),
}
ENTRY = (
    "kind: snapshot, extract: {mode: full}, date_column: null, s3: {partition_by: null}, "
    "clickhouse: {partition_by: null}"
)


def fill(shop: Shop, *tables: str) -> None:
    for name in tables:
        kind, old, _ = KEYS[name]
        shop.source(f"CREATE TABLE {name} (id {kind} PRIMARY KEY, n int); INSERT INTO {name} VALUES ('{old}', 1)")


def respell(shop: Shop, *tables: str) -> None:
    for name in tables:
        shop.source(f"UPDATE {name} SET id = '{KEYS[name][2]}'")


def test_a_respelt_key_is_an_update_in_postgresql(shop: Shop) -> None:
    fill(shop, *KEYS)
    shop.tables("tables:\n" + "".join(f"  {name}: {{{ENTRY}}}\n" for name in KEYS))
    assert shop.run(destinations="postgresql")[0] == 0
    respell(shop, *KEYS)
    exit_code, report = shop.run(destinations="postgresql")
    assert exit_code == 0, report
    for name, (_, _, new) in KEYS.items():
        load = load_of(report, name, "postgresql")
        assert (load["rows_inserted"], load["rows_updated"], load["notes"]) == (0, 1, [])
        assert shop.target(f"SELECT id::text FROM {name}") == [(new,)]


def test_keys_of_a_view_that_the_target_calls_equal_are_told(shop: Shop) -> None:
    """The lake would tell them apart; a view has no primary key that could have kept them from being two."""
    shop.source("CREATE VIEW one AS SELECT * FROM (VALUES (interval '30 days', 1), (interval '1 mon', 2)) AS v (id, n)")
    shop.tables(f"tables: {{one: {{{ENTRY}}}}}")
    for _ in range(2):
        exit_code, report = shop.run(destinations="postgresql")
        error = load_of(report, "one", "postgresql")["error"]
        assert (exit_code, "expected each key of one once, found 1 keys more than once" in error) == (1, True), error
        assert "; the target calls them equal (id interval): mend the source" in error
        shop.target("CREATE TABLE IF NOT EXISTS one (id interval PRIMARY KEY, n int)")
        shop.target("INSERT INTO one VALUES ('1 year', 0) ON CONFLICT DO NOTHING")


def test_a_respelt_key_is_told_where_it_is_another_row(stores: Stores) -> None:
    """An interval is a text in ClickHouse, as it is in the lake."""
    shop, both = stores.shop, "clickhouse,postgresql"
    fill(shop, "of_interval")
    stores.configure({"of_interval": ENTRY})
    assert shop.run(destinations=both)[0] == 0
    respell(shop, "of_interval")
    exit_code, report = shop.run(destinations=both)
    assert exit_code == 0, report
    in_clickhouse = load_of(report, "of_interval", "clickhouse")
    assert (in_clickhouse["rows_inserted"], in_clickhouse["rows_updated"]) == (1, 0)
    (note,) = in_clickhouse["notes"]
    assert note.startswith("the key column id is interval, and the source may call two spellings of it equal")
    in_postgresql = load_of(report, "of_interval", "postgresql")
    assert (in_postgresql["rows_updated"], in_postgresql["notes"]) == (1, [])
