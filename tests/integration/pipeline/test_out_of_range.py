"""What one store cannot hold, in all three stores: the entry says whether the row, or its value, goes to the others."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from etl.extract.postgresql import reader
from tests.integration.pipeline.conftest import STORES, Shop, Stores, counted, load_of, status_of

pytestmark = pytest.mark.stack

PEOPLE = """
CREATE TABLE people (id int PRIMARY KEY, born date, seen timestamptz, days date[], name varchar(3));
INSERT INTO people VALUES
    (1, '1900-01-01', '2026-01-01 12:00:00+00', '{2020-02-29,NULL}', 'abc'),
    (2, '1899-12-31', '2026-01-01 12:00:00+00', '{}', 'abc'),
    (3, '2300-01-01', NULL, NULL, 'abc'),
    (4, '0001-01-01', NULL, NULL, 'abc'),
    (5, '9999-12-31', NULL, NULL, 'abc'),
    (6, NULL, '1899-12-31 23:59:59.999999+00', NULL, 'abc'),
    (7, NULL, '2300-01-01 00:00:00+00', NULL, 'abc'),
    (8, NULL, NULL, '{2000-01-01,NULL,1800-01-01}', 'abc'),
    (9, '2299-12-31', '2299-12-31 23:59:59.999999+00', NULL, NULL);
"""
BEYOND = [2, 3, 4, 5, 6, 7, 8]


@pytest.fixture(params=["held by the driver", "by Spark"])
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "by Spark":
        monkeypatch.setattr(reader, "ROWS_IN_MEMORY", 0)
    return str(request.param)


def ids(stores: Stores, table: str) -> dict[str, list[int]]:
    return {store: [row[0] for row in rows] for store, rows in stores.rows(table, "id").items()}


def rejects(shop: Shop, table: str) -> list[tuple[Any, ...]]:
    """(destination, rule, reason, id), of the source's row as it came."""
    return shop.target(
        "SELECT destination, rule, reason, (row ->> 'id')::int FROM etl.rejects WHERE table_name = %s ORDER BY 4", [table]
    )


def adds_up(report: dict[str, Any], rows_read: int) -> bool:
    outcomes = ("inserted", "updated", "unchanged", "skipped", "rejected", "deduplicated")
    return all(
        load["rows_read"] == rows_read == sum(load[f"rows_{outcome}"] for outcome in outcomes)
        for load in report["loads"]
    )


def test_a_row_that_one_store_cannot_hold_goes_to_the_others(
    stores: Stores, lane: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = stores.shop
    shop.source(PEOPLE)
    stores.configure({"people": "maximum_rejected: 100%, clickhouse: {out_of_range: reject_there}"})
    capsys.readouterr()
    assert stores.run("--dry-run")[0] == 0
    assert "  values that clickhouse cannot hold: reject_there (out_of_range)" in capsys.readouterr().out

    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert ids(stores, "people") == {"clickhouse": [1, 9], "postgresql": [*range(1, 10)], "s3": [*range(1, 10)]}
    assert counted(report, "people", "rows_rejected") == {"clickhouse": 7, "postgresql": 0, "s3": 0}
    assert adds_up(report, 9) and report["rows_rejected"] == 7
    kept = rejects(shop, "people")
    assert [row[3] for row in kept] == BEYOND
    assert {row[0] for row in kept} == {"clickhouse"}
    assert [row[1] for row in kept] == [f"range:clickhouse:{name}" for name in [*["born"] * 4, "seen", "seen", "days"]]
    assert kept[0][2] == "born is outside what clickhouse can hold: 1899-12-31"
    note = (
        "7 rows hold a value that clickhouse cannot hold, and are rejected there alone (out_of_range: reject_there)"
    )
    assert counted(report, "people", "notes") == {"clickhouse": [note], "postgresql": [], "s3": []}
    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}


def test_a_value_that_one_store_cannot_hold_is_null_there_alone(stores: Stores, lane: str) -> None:
    shop = stores.shop
    shop.source(PEOPLE)
    stores.configure({"people": "clickhouse: {out_of_range: set_null}"})
    exit_code, report = stores.run()
    assert exit_code == 0, report
    found = stores.rows("people", "id, born")
    born = [
        *(date(1900, 1, 1), date(1899, 12, 31), date(2300, 1, 1), date(1, 1, 1), date(9999, 12, 31)),
        *(None, None, None, date(2299, 12, 31)),
    ]
    whole = [(number, value) for number, value in enumerate(born, 1)]
    assert found["postgresql"] == found["s3"] == whole
    assert found["clickhouse"] == [(number, None if number in BEYOND else value) for number, value in whole]
    assert dict(stores.rows("people", "id, seen")["clickhouse"])[7] is None
    days = dict(stores.rows("people", "id, days")["clickhouse"])
    assert days[8] == [] and days[1] == [date(2020, 2, 29), None]
    assert counted(report, "people", "rows_rejected") == dict.fromkeys(STORES, 0)
    assert adds_up(report, 9) and rejects(shop, "people") == []
    assert load_of(report, "people", "clickhouse")["notes"] == [
        "4 values of born that clickhouse cannot hold are NULL there (out_of_range: set_null)",
        "2 values of seen that clickhouse cannot hold are NULL there (out_of_range: set_null)",
        "1 values of days that clickhouse cannot hold are NULL there (out_of_range: set_null)",
    ]
    assert load_of(report, "people", "s3")["notes"] == []


def test_a_value_that_one_store_cannot_hold_is_the_nearest_there_alone(stores: Stores, lane: str) -> None:
    shop = stores.shop
    shop.source(PEOPLE)
    stores.configure({"people": "clickhouse: {out_of_range: {born: clamp, seen: clamp, days: clamp}}"})
    exit_code, report = stores.run()
    assert exit_code == 0, report
    first, last = date(1900, 1, 1), date(2299, 12, 31)
    clickhouse = stores.rows("people", "id, born")["clickhouse"]
    assert [value for _, value in clickhouse] == [first, first, last, first, last, None, None, None, last]
    assert stores.rows("people", "id, born")["s3"][1] == (2, date(1899, 12, 31))
    seen = dict(stores.rows("people", "id, seen")["clickhouse"])
    assert [seen[6], seen[7]] == [
        datetime(1900, 1, 1, tzinfo=UTC),
        datetime(2299, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ]
    assert adds_up(report, 9) and rejects(shop, "people") == []
    days = dict(stores.rows("people", "id, days")["clickhouse"])
    assert days[8] == [date(2000, 1, 1), None, first]
