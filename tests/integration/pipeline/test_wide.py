"""As many columns as a store takes, by the real job: loaded, changed, loaded again."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from etl.clickhouse.door import ClickHouseDoor
from etl.rejects.__main__ import app
from tests.conftest import RunningStack
from tests.integration.pipeline.conftest import Shop, load_of

# Spark plans, compiles and digests each of the columns
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]

COLUMNS = 1_596
STORES = ("clickhouse", "postgresql", "s3")


def create(shop: Shop) -> None:
    kinds = ("smallint", "text", "real", "boolean")
    values = ("i", "' t' || i", "i / 4.0", "NULL")
    places = range(COLUMNS - 2)
    columns = ", ".join(f"a_column_of_a_survey_{place:04d} {kinds[place % 4]}" for place in places)
    rows = ", ".join(values[place % 4] for place in places)
    shop.source(
        f"CREATE TABLE wide (id int PRIMARY KEY, {columns}, last text);"
        f"INSERT INTO wide SELECT i, {rows}, 'as it was' FROM generate_series(1, 20) AS i"
    )


def test_rows_of_1596_columns_are_transformed_rejected_and_read_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(shop)
    other = "s3: {enabled: false}, clickhouse: {enabled: false}, vanished_rows: keep"
    steps = "trim: true, mask: {a_column_of_a_survey_0005: all}, rules: {known: id <> 20}"
    shop.tables(f"tables: {{wide: {{{other}, transform: {{{steps}}}}}}}")
    exit_code, report = shop.run(destinations="postgresql")
    assert exit_code == 0, report
    assert load_of(report, "wide", "postgresql")["rows_inserted"] == 19
    whole = "SELECT count(*) FROM etl.rejects, jsonb_object_keys(row) WHERE rule = 'rule:known'"
    assert shop.target(whole) == [(COLUMNS,)]
    shop.tables(f"tables: {{wide: {{{other}, transform: {{{steps.replace('20', '99')}}}}}}}")
    for name, value in shop.environ.items():
        monkeypatch.setenv(name, value)
    for name in ("ETL_CLICKHOUSE_URL", "ETL_S3_ENDPOINT", "ETL_S3_BUCKET"):
        monkeypatch.delenv(name)
    retried = CliRunner().invoke(app, ["retry", "--rule", "rule:known", "--config-dir", str(shop.folder)])
    assert retried.exit_code == 0, retried.output
    texts = "a_column_of_a_survey_0001, a_column_of_a_survey_0005 LIKE '%20'"
    assert shop.target(f"SELECT {texts} FROM wide WHERE id = 20") == [("t20", False)]
    assert shop.target("SELECT DISTINCT status FROM etl.rejects") == [("resolved",)]


def test_a_table_of_1596_columns_is_loaded_again_in_every_store(shop: Shop, stack: RunningStack) -> None:
    assert stack.settings.clickhouse is not None
    create(shop)
    named = f"clickhouse: {{target_name: {shop.name}, mode: merge}}"
    shop.tables(f"tables: {{wide: {{{named}, s3: {{format: delta, mode: merge}}, vanished_rows: keep}}}}")
    exit_code, first = shop.run(destinations=",".join(STORES))
    assert exit_code == 0, first
    shop.source("UPDATE wide SET last = 'changed' WHERE id = 7; UPDATE wide SET id = 21 WHERE id = 20")
    exit_code, second = shop.run(destinations=",".join(STORES))
    assert exit_code == 0, second
    for store in STORES:
        load = load_of(second, "wide", store)
        assert (load["rows_inserted"], load["rows_updated"], load["rows_unchanged"]) == (1, 1, 18), store
    assert shop.target("SELECT id FROM wide WHERE last = 'changed'") == [(7,)]
    with ClickHouseDoor(stack.settings.clickhouse) as door:
        assert door.query(f"SELECT id FROM {shop.name} FINAL WHERE last = 'changed'") == [[7]]
