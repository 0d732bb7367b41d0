from pathlib import Path

import pytest

from etl.statements.clickhouse.views import (
    describe_views,
    drop_view,
    parse_aggregate,
    read_aggregates,
    refresh_view,
    wait_for_view,
)


def test_every_aggregate_of_the_product_can_be_read() -> None:
    aggregates = read_aggregates()

    assert [(aggregate.name, aggregate.sources) for aggregate in aggregates] == [
        ("agg_daily_events", ("customer_events",)),
        ("agg_article_daily_views", ("customer_events",)),
        ("agg_churn_bands", ("customer_churn_predictions",)),
        ("agg_daily_content_events", ("editorial_content_events",)),
    ]
    for aggregate in aggregates:
        assert f"CREATE MATERIALIZED VIEW {aggregate.name}\n" in aggregate.create


def test_the_digest_follows_the_text_and_stands_in_the_comment(tmp_path: Path) -> None:
    file = tmp_path / "001_a.sql"
    file.write_text("-- name: a\n-- sources: x, y\n-- Why.\nCREATE MATERIALIZED VIEW a AS SELECT 1\n")
    one = parse_aggregate(file)
    file.write_text("-- name: a\n-- sources: x, y\n-- Why.\nCREATE MATERIALIZED VIEW a AS SELECT 2\n")
    other = parse_aggregate(file)

    assert one.sources == ("x", "y")
    assert one.digest != other.digest
    assert one.create_statement.endswith(f"AS SELECT 1\nCOMMENT '{one.digest}'")


def test_a_file_without_its_header_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "001_a.sql"
    file.write_text("SELECT 1")
    with pytest.raises(ValueError, match=r"001_a\.sql: expected the lines"):
        parse_aggregate(file)


def test_statements_about_views() -> None:
    assert "name IN ('a', 'it\\'s')" in describe_views(["a", "it's"])
    assert drop_view("db", "v") == "DROP VIEW IF EXISTS `db`.`v` SYNC"
    assert refresh_view("db", "v") == "SYSTEM REFRESH VIEW `db`.`v`"
    assert wait_for_view("db", "v") == "SYSTEM WAIT VIEW `db`.`v`"
