"""Aggregates appear with their source, follow it, and never fail a load."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from etl.clickhouse.door import ClickHouseDoor
from etl.errors import ConnectionLostError
from etl.load.clickhouse import aggregates, loader
from etl.statements.clickhouse.views import AGGREGATES_DIRECTORY, Aggregate, read_aggregates
from tests.integration.load.clickhouse.conftest import ClickHouse, FrameOf, LoaderOf, entry

pytestmark = pytest.mark.stack

DAY = date(2025, 3, 1)


@pytest.fixture
def view(clickhouse: ClickHouse, table: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An aggregate over the test's table, in place of the product's own."""
    name = f"agg_{table}"
    use(monkeypatch, name, table, "count() AS rows")
    yield name
    clickhouse.execute(f"DROP VIEW IF EXISTS `{name}` SYNC")


def use(monkeypatch: pytest.MonkeyPatch, view: str, table: str, selected: str) -> None:
    create = (
        f"CREATE MATERIALIZED VIEW {view} REFRESH EVERY 1 YEAR ENGINE = MergeTree ORDER BY day EMPTY "
        f"AS SELECT ifNull(day, toDate32('1970-01-01')) AS day, {selected} FROM {table} FINAL GROUP BY day"
    )
    monkeypatch.setattr(aggregates, "_aggregates", lambda: (Aggregate(view, (table,), create),))


def test_an_aggregate_follows_every_publication(
    clickhouse: ClickHouse, table: str, view: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    rows = [("1", DAY, "x", None), ("2", DAY, "y", None)]
    loader_of(1).load(frame_of(rows[0]), entry(table))
    assert clickhouse.rows(view) == [["2025-03-01", 1]]
    loader_of(2).load(frame_of(*rows), entry(table))
    assert clickhouse.rows(view) == [["2025-03-01", 2]]


def test_an_aggregate_follows_a_publication_whose_answer_was_lost(
    clickhouse: ClickHouse,
    table: str,
    view: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    execute = ClickHouseDoor.execute
    lost: list[str] = []

    def losing(door: ClickHouseDoor, statement: str, **options: Any) -> None:
        execute(door, statement, **options)
        if "EXCHANGE TABLES" in statement and not lost:
            lost.append(statement)
            raise ConnectionLostError("the cable was pulled")

    rows = [("1", DAY, "x", None), ("2", DAY, "y", None)]
    loader_of(1).load(frame_of(rows[0]), entry(table))
    monkeypatch.setattr(ClickHouseDoor, "execute", losing)
    assert loader_of(2, retries=1).load(frame_of(*rows), entry(table)).rows_inserted == 1
    assert len(lost) == 1
    assert clickhouse.rows(view) == [["2025-03-01", 2]]


def test_resuming_a_run_that_died_after_it_published_refreshes_its_aggregates(
    clickhouse: ClickHouse,
    table: str,
    view: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = [("1", DAY, "x", None), ("2", DAY, "y", None)]
    loader_of(1).load(frame_of(rows[0]), entry(table))
    with monkeypatch.context() as dying:
        dying.setattr(loader, "refresh_aggregates", lambda *_, **__: [])
        loader_of(2).load(frame_of(*rows), entry(table))
    assert clickhouse.rows(view) == [["2025-03-01", 1]]

    for _ in range(2):
        published = loader_of(2).published(entry(table))
        assert published is not None and published.rows_inserted == 1
        assert clickhouse.rows(view) == [["2025-03-01", 2]]


def test_an_aggregate_whose_text_changed_is_built_anew(
    clickhouse: ClickHouse,
    table: str,
    view: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    df = frame_of(("1", DAY, "x", None))
    loader_of(1).load(df, entry(table))
    use(monkeypatch, view, table, "max(name) AS last")

    assert loader_of(2).load(df, entry(table)).rows_unchanged == 1
    assert clickhouse.rows(view) == [["2025-03-01", "x"]]


def test_an_aggregate_that_fails_does_not_fail_the_load(
    clickhouse: ClickHouse,
    table: str,
    view: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    use(monkeypatch, view, table, "no_such_column")

    assert loader_of(1).load(frame_of(("1", DAY, "x", None)), entry(table)).rows_inserted == 1
    assert len(clickhouse.rows(table)) == 1


def test_the_products_own_aggregates_can_be_created_and_refreshed(clickhouse: ClickHouse) -> None:
    clickhouse.execute(
        "CREATE TABLE customer_events (event_id String, session_id String, user_id Nullable(Int64), "
        "article_id Nullable(Int64), event_type String, event_date Date32, duration_ms Nullable(Int32), "
        "revenue_eur Nullable(Decimal(10, 4)), is_bot Bool) ENGINE = MergeTree ORDER BY event_id"
    )
    clickhouse.execute(
        "INSERT INTO customer_events VALUES ('1', 's', 7, 5, 'page_view', '2025-03-01', 1500, 0.5, false), "
        "('2', 's', NULL, 5, 'page_view', '2025-03-01', 2500, NULL, false), "
        "('3', 't', 7, NULL, 'click', '2025-03-01', NULL, NULL, false), "
        "('4', 't', 7, 5, 'page_view', '2025-03-01', 9, NULL, true)"
    )
    clickhouse.execute(
        "CREATE TABLE customer_churn_predictions (user_id Int64, prediction_date Date32, churn_probability Float64, "
        "churn_band Nullable(String), has_churned Nullable(Bool)) ENGINE = ReplacingMergeTree "
        "ORDER BY (user_id, prediction_date)"
    )
    clickhouse.execute(
        "INSERT INTO customer_churn_predictions VALUES (1, '2025-03-01', 0.25, 'low', NULL), "
        "(2, '2025-03-01', 0.75, 'low', true), (3, '2025-03-01', 1, NULL, NULL)"
    )
    clickhouse.execute(
        "CREATE TABLE editorial_content_events (event_id String, article_id Nullable(Int64), brand_id Int32, "
        "event_type String, event_date Date32, duration_seconds Nullable(Int32)) ENGINE = MergeTree ORDER BY event_id"
    )
    clickhouse.execute("INSERT INTO editorial_content_events VALUES ('1', 5, 2, 'edit', '2025-03-01', 30)")

    with aggregates.ClickHouseDoor(clickhouse.settings) as door:
        database = clickhouse.settings.database
        refreshed = [
            name
            for source in ("customer_events", "customer_churn_predictions", "editorial_content_events")
            for name in aggregates.refresh_aggregates(door, database, source, changed=True)
        ]
        again = aggregates.refresh_aggregates(door, database, "customer_events", changed=False)

    assert refreshed == [aggregate.name for aggregate in read_aggregates(Path(AGGREGATES_DIRECTORY))]
    assert again == []
    assert clickhouse.rows("agg_daily_events") == [
        ["2025-03-01", "click", 1, 1, 1, None],
        ["2025-03-01", "page_view", 2, 1, 1, 0.5],
    ]
    assert clickhouse.rows("agg_article_daily_views") == [[5, "2025-03-01", 2, 1, 2]]
    assert clickhouse.rows("agg_churn_bands") == [
        ["2025-03-01", "low", 2, 0.5, 1],
        ["2025-03-01", "unknown", 1, 1, 0],
    ]
    assert clickhouse.rows("agg_daily_content_events") == [["2025-03-01", 2, "edit", 1, 1, 30]]
