"""What one store cannot hold, in all three stores: the entry says whether the row, or its value, goes to the others."""

from __future__ import annotations

from typing import Any

import pytest
from typer.testing import CliRunner

from etl.extract.postgresql import reader
from etl.pipeline.job import main
from etl.rejects.__main__ import app
from tests.integration.pipeline.conftest import STORES, Shop, Stores, counted, everywhere, load_of, status_of

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
BORN = ["1900-01-01", "1899-12-31", "2300-01-01", "0001-01-01", "9999-12-31", None, None, None, "2299-12-31"]
SHOWN = "born, seen, days"


@pytest.fixture(params=["held by the driver", "by Spark"])
def lane(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "by Spark":
        monkeypatch.setattr(reader, "ROWS_IN_MEMORY", 0)
    return str(request.param)


def shown(stores: Stores, columns: str = "id", file_format: str = "parquet") -> dict[str, list[tuple[Any, ...]]]:
    """Dates as texts, which every reader has."""
    rows = stores.rows("people", columns, file_format)
    return {
        store: sorted(tuple(None if each is None else _shown(each) for each in row) for row in found)
        for store, found in rows.items()
    }


def _shown(value: Any) -> Any:
    if isinstance(value, list):
        return [None if each is None else str(each) for each in value]
    return value if isinstance(value, int) else str(value)


def of_ids(ids: list[int]) -> list[tuple[int]]:
    return [(number,) for number in ids]


def rejects(shop: Shop, table: str = "people") -> list[tuple[Any, ...]]:
    """(destination, rule, reason, id), of the source's row as it came."""
    kept = "SELECT destination, rule, reason, (row ->> 'id')::int FROM etl.rejects WHERE table_name = %s"
    return shop.target(f"{kept} AND status = 'rejected' ORDER BY 4, 1", [table])


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
    assert (
        "  values that clickhouse cannot hold: reject_there born, seen, days (out_of_range)\n"
        in capsys.readouterr().out
    )
    note = "7 rows hold a value that clickhouse cannot hold, and are rejected there alone (out_of_range: reject_there)"
    assert main(["--config-dir", str(shop.folder)], shop.environ) == 0
    assert f"people: 9 rows read (9 good)\n  {note}\n" in capsys.readouterr().out

    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert shown(stores) == {**everywhere(of_ids([*range(1, 10)])), "clickhouse": of_ids([1, 9])}
    assert counted(report, "people", "rows_rejected") == {"clickhouse": 7, "postgresql": 0, "s3": 0}
    assert adds_up(report, 9) and report["rejects"] == 7
    kept = rejects(shop)
    assert [row[3] for row in kept] == BEYOND
    assert {row[0] for row in kept} == {"clickhouse"}
    assert [row[1] for row in kept] == [f"range:clickhouse:{name}" for name in [*["born"] * 4, "seen", "seen", "days"]]
    assert kept[0][2] == "born is outside what clickhouse can hold: 1899-12-31"
    assert counted(report, "people", "notes") == {"clickhouse": [note], "postgresql": [], "s3": []}
    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}


def test_a_value_that_one_store_cannot_hold_is_null_there_alone(stores: Stores, lane: str) -> None:
    shop = stores.shop
    shop.source(PEOPLE)
    stores.configure({"people": "clickhouse: {out_of_range: set_null}"})
    exit_code, report = stores.run()
    assert exit_code == 0, report
    whole = list(enumerate(BORN, 1))
    altered = [(number, None if number in BEYOND else value) for number, value in whole]
    assert shown(stores, "id, born") == {**everywhere(whole), "clickhouse": altered}
    clickhouse = {row[0]: row[1:] for row in shown(stores, "id, seen, days")["clickhouse"]}
    assert clickhouse[6][0] is clickhouse[7][0] is None and clickhouse[9][0].startswith("2299-12-31 23:59:59.999999")
    assert clickhouse[8][1] == [] and clickhouse[1][1] == ["2020-02-29", None]  # it has no array that is NULL
    assert counted(report, "people", "rows_rejected") == dict.fromkeys(STORES, 0)
    assert adds_up(report, 9) and rejects(shop) == []
    assert counted(report, "people", "notes") == {
        "clickhouse": [
            "4 values of born that clickhouse cannot hold are NULL there (out_of_range: set_null)",
            "2 values of seen that clickhouse cannot hold are NULL there (out_of_range: set_null)",
            "1 values of days that clickhouse cannot hold are NULL there (out_of_range: set_null)",
        ],
        "postgresql": [],
        "s3": [],
    }


def test_a_value_that_one_store_cannot_hold_is_the_nearest_there_alone(
    stores: Stores, lane: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = stores.shop
    shop.source(PEOPLE)
    stores.configure({"people": "clickhouse: {out_of_range: {born: clamp, seen: clamp, days: clamp}}"})
    capsys.readouterr()
    assert stores.run("--dry-run")[0] == 0
    assert "  values that clickhouse cannot hold: clamp born, seen, days (out_of_range)\n" in capsys.readouterr().out
    exit_code, report = stores.run()
    assert exit_code == 0, report
    first, last = "1900-01-01", "2299-12-31"
    near = list(enumerate([first, first, last, first, last, None, None, None, last], 1))
    assert shown(stores, "id, born") == {**everywhere(list(enumerate(BORN, 1))), "clickhouse": near}
    clickhouse = {row[0]: row[1:] for row in shown(stores, "id, seen, days")["clickhouse"]}
    assert clickhouse[6][0].startswith("1900-01-01 00:00:00")
    assert clickhouse[7][0].startswith("2299-12-31 23:59:59.999999")
    assert clickhouse[8][1] == ["2000-01-01", None, "1900-01-01"]
    assert adds_up(report, 9) and rejects(shop) == []
    assert load_of(report, "people", "clickhouse")["notes"][0] == (
        "4 values of born that clickhouse cannot hold are there the nearest that it holds (out_of_range: clamp)"
    )
    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}


def test_by_default_such_a_row_goes_to_no_store(stores: Stores, lane: str) -> None:
    shop = stores.shop
    shop.source(f"{PEOPLE} INSERT INTO people VALUES (10, 'infinity')")
    stores.configure({"people": "maximum_rejected: 100%, clickhouse: {out_of_range: {seen: reject_there}}"})
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert shown(stores) == {**everywhere(of_ids([1, 6, 7, 9])), "clickhouse": of_ids([1, 9])}
    assert counted(report, "people", "rows_rejected") == {"clickhouse": 8, "postgresql": 6, "s3": 6}
    assert adds_up(report, 10)
    assert [(destination, number) for destination, _, _, number in rejects(shop)] == [
        *((None, number) for number in (2, 3, 4, 5)),
        *(("clickhouse", number) for number in (6, 7)),
        (None, 8),
        (None, 10),
    ]
    assert rejects(shop)[-1][1] == "unreadable"  # no frame has such a day


def test_too_many_that_one_store_refuses_fail_that_load_alone(stores: Stores) -> None:
    shop = stores.shop
    shop.source(PEOPLE)
    stores.configure({"people": "out_of_range: reject_there"})
    exit_code, report = stores.run()
    assert exit_code == 1
    assert status_of(report) == {
        ("people", "clickhouse"): "failed",
        ("people", "postgresql"): "success",
        ("people", "s3"): "success",
    }
    error = load_of(report, "people", "clickhouse")["error"]
    assert "range:clickhouse:born (4, such as 'born is outside what clickhouse can hold: 0001-01-01')" in error
    assert rejects(shop) == []

    exit_code, report = stores.run("--resume", report["run_id"], "--maximum-rejected", "100%")
    assert exit_code == 0, report
    assert [load["destination"] for load in report["loads"]] == ["clickhouse"]
    assert load_of(report, "people", "clickhouse")["rows_rejected"] == 7 and adds_up(report, 9)
    assert shown(stores)["clickhouse"] == of_ids([1, 9])
    assert [row[0] for row in rejects(shop)] == ["clickhouse"] * 7


def test_rows_that_one_store_refused_are_read_again_for_it_alone(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = stores.shop
    for name, value in shop.environ.items():
        monkeypatch.setenv(name, value)
    shop.source(PEOPLE)
    stores.configure({"people": "maximum_rejected: 100%, clickhouse: {out_of_range: reject_there}"})
    assert stores.run()[0] == 0
    stores.configure({"people": "clickhouse: {out_of_range: {born: clamp, seen: reject_there, days: reject_there}}"})
    retried = CliRunner().invoke(app, ["retry", "--rule", "range:clickhouse:born", "--config-dir", str(shop.folder)])
    assert retried.exit_code == 0, retried.output
    assert "people: 4 rows of range:clickhouse:born were read again" in retried.output
    assert "; clickhouse: 4 loaded; 0 are rejected again" in retried.output
    assert shown(stores)["clickhouse"] == of_ids([1, 2, 3, 4, 5, 9])
    assert {rule for _, rule, _, _ in rejects(shop)} == {"range:clickhouse:seen", "range:clickhouse:days"}


def test_a_row_that_was_refused_on_its_way_has_not_vanished(stores: Stores, lane: str) -> None:
    """What ClickHouse holds of it from before stays, and nothing is deleted until every row comes through."""
    shop = stores.shop
    shop.source(
        "CREATE TABLE people (id int PRIMARY KEY, born date, updated_at timestamptz NOT NULL DEFAULT now());"
        "INSERT INTO people SELECT g, date '2000-01-01' + g FROM generate_series(1, 6) g"
    )
    merged = "kind: snapshot, date_column: null, extract: {mode: full}, vanished_rows: delete, s3: {partition_by: null}"
    stores.configure({"people": f"{merged}, clickhouse: {{partition_by: null, out_of_range: reject_there}}"})
    assert stores.run()[0] == 0
    shop.source("DELETE FROM people WHERE id = 6; UPDATE people SET born = '1899-12-31' WHERE id = 1")
    exit_code, report = stores.run()
    assert exit_code == 0, report
    born = dict(enumerate(["1899-12-31", "2000-01-03", "2000-01-04", "2000-01-05", "2000-01-06"], 1))
    assert shown(stores, "id, born", "delta") == {
        **everywhere([*born.items()]),
        "clickhouse": [*({**born, 1: "2000-01-02"} | {6: "2000-01-07"}).items()],
    }
    assert counted(report, "people", "rows_deleted") == {"clickhouse": 0, "postgresql": 1, "s3": 1}
    assert counted(report, "people", "vanished_rows") == {"clickhouse": "keep", "postgresql": "delete", "s3": "delete"}
    assert adds_up(report, 5)
    assert load_of(report, "people", "clickhouse")["notes"][-1] == (
        "stored rows that are gone from the source stay this time: some rows were refused on their way, and these have "
        "not vanished"
    )
    shop.source("UPDATE people SET born = '1900-01-01' WHERE id = 1")
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert shown(stores, "id, born", "delta") == everywhere([*{**born, 1: "1900-01-01"}.items()])
    assert load_of(report, "people", "clickhouse")["rows_deleted"] == 1


def test_children_of_a_row_that_postgresql_alone_refuses_wait_for_it(stores: Stores, lane: str) -> None:
    """A NUL and a text that is too long, both made by the entry: then for PostgreSQL alone without them."""
    shop = stores.shop
    shop.source(
        "CREATE TABLE people (id int PRIMARY KEY, name varchar(3));"
        "CREATE TABLE visits (id int PRIMARY KEY, person int NOT NULL REFERENCES people);"
        "INSERT INTO people VALUES (1, 'a'), (2, 'b'), (3, 'c'); INSERT INTO visits VALUES (1, 1), (2, 2), (3, 3)"
    )
    made = "CASE id WHEN 2 THEN concat(name, char(0)) WHEN 3 THEN concat(name, 'defg') ELSE name END"

    def entry(word: str) -> dict[str, str]:
        derived = f'transform: {{derive: {{name: "{made}"}}}}'
        return {
            "people": f"maximum_rejected: 100%, {derived}, postgresql: {{out_of_range: {word}}}",
            "visits": "maximum_rejected: 100%",
        }

    whole = [(1, "a"), (2, "b\0"), (3, "cdefg")]
    stores.configure(entry("reject_there"))
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert shown(stores, "id, name") == {**everywhere(whole), "postgresql": whole[:1]}
    assert stores.rows("visits", "id") == {**everywhere(of_ids([1, 2, 3])), "postgresql": of_ids([1])}
    assert counted(report, "people", "rows_rejected") == {"clickhouse": 0, "postgresql": 2, "s3": 0}
    assert adds_up(report, 3)
    assert [(rule, reason) for _, rule, reason, _ in rejects(shop)] == [
        ("range:postgresql:name", "name is outside what postgresql can hold: b\u2400"),
        ("range:postgresql:name", "name is outside what postgresql can hold: cdefg"),
    ]
    assert shop.target("SELECT count(*) FROM etl.rejects WHERE status = 'waiting'") == [(2,)]

    stores.configure(entry("clamp"))
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert shown(stores, "id, name") == {**everywhere(whole), "postgresql": [(1, "a"), (2, "b"), (3, "cde")]}
    assert stores.rows("visits", "id") == everywhere(of_ids([1, 2, 3]))
    assert shop.target("SELECT count(*) FROM etl.rejects WHERE status = 'waiting'") == [(0,)]
    assert status_of(report)["people", "s3"] == status_of(report)["people", "clickhouse"] == "unchanged"

    stores.configure(entry("set_null"))
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert shown(stores, "id, name")["postgresql"] == [(1, "a"), (2, None), (3, None)]


def test_each_store_is_counted_by_its_own_part_and_its_own_rows(stores: Stores, lane: str) -> None:
    """ClickHouse comes later, so that it takes more of the table than the others, and refuses some of that."""
    shop = stores.shop
    shop.source(
        "CREATE TABLE people (id int PRIMARY KEY, born date, updated_at timestamptz NOT NULL);"
        "INSERT INTO people VALUES (1, '2000-01-01', '2026-01-01'), (2, '1800-01-01', '2026-01-01')"
    )
    entry = "kind: snapshot, date_column: null, extract: {overlap_seconds: 0}, s3: {partition_by: null}"
    stores.configure({"people": f"{entry}, clickhouse: {{partition_by: null, out_of_range: reject_there}}"})
    assert shop.run(destinations="s3,postgresql")[0] == 0
    shop.source("INSERT INTO people VALUES (3, '2000-01-01', '2026-02-01'), (4, '1800-01-01', '2026-02-01')")
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert shown(stores, "id", "delta") == {**everywhere(of_ids([1, 2, 3, 4])), "clickhouse": of_ids([1, 3])}
    assert counted(report, "people", "rows_read") == {"clickhouse": 4, "postgresql": 2, "s3": 2}
    assert counted(report, "people", "rows_rejected") == {"clickhouse": 2, "postgresql": 0, "s3": 0}
    assert [(destination, number) for destination, _, _, number in rejects(shop)] == [
        ("clickhouse", 2),
        ("clickhouse", 4),
    ]


def test_many_rows(stores: Stores) -> None:
    """More than the driver reads by itself."""
    shop = stores.shop
    rows = reader.ROWS_IN_MEMORY + 2_000
    shop.source(
        "CREATE TABLE people (id int PRIMARY KEY, born date, name text);"
        f"INSERT INTO people SELECT g, date '1890-01-01' + g, 'n' || g FROM generate_series(1, {rows}) g"
    )
    early = "(SELECT count(*) FROM people WHERE born < '1900-01-01')"
    for word, there in (("reject_there", rows - 3651), ("clamp", rows), ("set_null", rows)):
        stores.configure({"people": f"clickhouse: {{out_of_range: {word}}}"})
        exit_code, report = stores.run()
        assert exit_code == 0, report
        assert adds_up(report, rows)
        stands = stores.rows("people", "count(1), count(born)")
        assert stands["postgresql"] == [(rows, rows)]
        assert stands["clickhouse"] == [(there, rows - 3651 if word == "set_null" else there)]
    assert shop.target(f"SELECT {early}") == [(3651,)]


def test_each_store_has_its_own_word(stores: Stores, lane: str) -> None:
    """The lake ends with the year 9999; PostgreSQL goes on."""
    shop = stores.shop
    shop.source(
        "CREATE TABLE people (id int PRIMARY KEY, born date);"
        "INSERT INTO people VALUES (1, '2000-01-01'), (2, '10000-01-01'), (3, '0044-03-15 BC'), (4, '2300-01-01')"
    )
    words = "s3: {out_of_range: clamp}, clickhouse: {out_of_range: reject_there}, maximum_rejected: 100%"
    stores.configure({"people": words})
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert shop.target("SELECT id, born::text FROM people ORDER BY 1") == [
        (1, "2000-01-01"),
        (2, "10000-01-01"),
        (3, "0044-03-15 BC"),
        (4, "2300-01-01"),
    ]
    lake = stores.lake("people", "id, CAST(born AS string)", "parquet")
    assert sorted(map(tuple, lake)) == [(1, "2000-01-01"), (2, "9999-12-31"), (3, "0001-01-01"), (4, "2300-01-01")]
    assert counted(report, "people", "rows_inserted") == {"clickhouse": 1, "postgresql": 4, "s3": 4}
    assert counted(report, "people", "rows_rejected") == {"clickhouse": 3, "postgresql": 0, "s3": 0}
    assert adds_up(report, 4)
