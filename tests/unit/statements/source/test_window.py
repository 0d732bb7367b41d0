from __future__ import annotations

import datetime as dt

import pytest

from etl.model import ColumnDefinition
from etl.statements.source.transactions import Transactions
from etl.statements.source.window import (
    Window,
    block_conditions,
    day_of,
    lock_statement,
    measure_statement,
    window_condition,
)

AT = ColumnDefinition("at", "timestamp with time zone", nullable=False)
LATE = ColumnDefinition("at", "timestamp with time zone")
NUMBER = ColumnDefinition("n", "bigint", nullable=False)
DAY = ColumnDefinition("day", "date")


@pytest.mark.parametrize(
    ("window", "watermark", "expected"),
    [
        (Window(), AT, "true"),
        (Window("2026-01-01"), None, "true"),
        (Window("2026-01-01"), AT, "(\"at\" > '2026-01-01'::timestamp with time zone)"),
        (
            Window("2026-01-01", overlap_seconds=600),
            AT,
            "(\"at\" > '2026-01-01'::timestamp with time zone - interval '600 seconds')",
        ),
        (Window("5", "9", overlap_seconds=600), NUMBER, "(\"n\" > '5'::bigint AND \"n\" <= '9'::bigint)"),
        (
            Window("5", "9", lower_inclusive=True, upper_inclusive=False),
            NUMBER,
            "(\"n\" >= '5'::bigint AND \"n\" < '9'::bigint)",
        ),
        (Window(upper="2026-01-01"), LATE, '("at" <= \'2026-01-01\'::timestamp with time zone OR "at" IS NULL)'),
        (
            Window("5", "9", unseen=Transactions(0x2E3, 0x2E6)),
            DAY,
            "((\"day\" > '5'::date OR (xidsend(xmin) >= decode('000002e3', 'hex')"
            " AND xidsend(xmin) <= decode('000002e5', 'hex'))) AND \"day\" <= '9'::date OR \"day\" IS NULL)",
        ),
        (Window(upper="9", unseen=Transactions(1, 5)), NUMBER, "(\"n\" <= '9'::bigint)"),
        (Window(unseen=Transactions(1, 5)), NUMBER, "true"),
        (Window("' OR true --"), NUMBER, "(\"n\" > ''' OR true --'::bigint)"),
    ],
)
def test_window_condition(window: Window, watermark: ColumnDefinition | None, expected: str) -> None:
    assert window_condition(window, watermark, DAY) == expected


def test_touched_days_are_read_whole() -> None:
    window = Window("5", partitions=(dt.date(2026, 1, 1), dt.date(2026, 1, 2)))
    assert window_condition(window, NUMBER, DAY) == (
        "((\"n\" > '5'::bigint) OR \"day\" = ANY (ARRAY[DATE '2026-01-01', DATE '2026-01-02']))"
    )


@pytest.mark.parametrize(
    ("type_", "expected"),
    [
        ("date", '"c"'),
        ("timestamp without time zone", '"c"::date'),
        ("timestamp(3) with time zone", "(\"c\" AT TIME ZONE 'UTC')::date"),
    ],
)
def test_a_day_is_utc(type_: str, expected: str) -> None:
    assert day_of(ColumnDefinition("c", type_)) == expected


def test_measure_of_a_whole_table() -> None:
    assert measure_statement("public", "t", Window(), None, DAY, 600, columns=[NUMBER, DAY]) == (
        "SELECT count(*), NULL, count(*) || ':' || coalesce(sum("
        'hashtextextended(hash_record_extended(ROW(int8send("n"), "day"), 0)::text, 0)), 0),'
        ' NULL, NULL::date[], 32 FROM "public"."t" WHERE true'
    )


def test_measure_behind_a_mark_whose_tail_goes_on_where_no_row_is_newer() -> None:
    """The greatest mark is looked for among rows in their order, for which an index serves."""
    unseen = Window("5", unseen=Transactions(16, 18))
    statement = measure_statement(
        "s", "t", unseen, NUMBER, None, 600, columns=[NUMBER], open_transactions=Transactions(17, 18)
    )
    hashed = 'hashtextextended(hash_record_extended(ROW(int8send("n")), 0)::text, 0)'
    tail = (
        '("n" > (SELECT _etl_value FROM _etl_mark)'
        " OR (xidsend(xmin) >= decode('00000011', 'hex') AND xidsend(xmin) <= decode('00000011', 'hex')))"
    )
    assert statement == (
        'WITH _etl_mark AS MATERIALIZED (SELECT GREATEST(max("n"), \'5\'::bigint) AS _etl_value FROM "s"."t"'
        " WHERE (\"n\" > '5'::bigint)) SELECT count(*), (SELECT _etl_value FROM _etl_mark)::text,"
        f" count(*) || ':' || coalesce(sum({hashed}), 0), count(*) FILTER (WHERE {tail}) || ':' ||"
        f' coalesce(sum({hashed}) FILTER (WHERE {tail}), 0), NULL::date[], 16 FROM "s"."t" WHERE'
        " ((\"n\" > '5'::bigint OR (xidsend(xmin) >= decode('00000010', 'hex')"
        " AND xidsend(xmin) <= decode('00000011', 'hex'))))"
    )


@pytest.mark.parametrize(
    ("blocks", "partitions", "expected"),
    [
        (10, 2, ["ctid >= '(0,0)'::tid AND ctid < '(5,0)'::tid", "ctid >= '(5,0)'::tid"]),
        (1, 4, ["ctid >= '(0,0)'::tid"]),
        (0, 4, ["ctid >= '(0,0)'::tid"]),
    ],
)
def test_block_ranges_cover_everything_once(blocks: int, partitions: int, expected: list[str]) -> None:
    assert block_conditions(blocks, partitions) == expected


def test_lock() -> None:
    assert lock_statement([("public", "a"), ("Odd", 'b"c')]) == (
        'LOCK TABLE "public"."a", "Odd"."b""c" IN ACCESS SHARE MODE'
    )
