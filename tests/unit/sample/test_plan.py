"""How many rows, over how many days."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from etl.sample.plan import PLANS, Growth, demo_days
from etl.sample.tables import BUILDERS_BY_DOMAIN

_CONTRACT_FILE = Path(__file__).parents[2] / "contract_tables.csv"


def test_every_table_of_the_contract_is_planned_and_built() -> None:
    with _CONTRACT_FILE.open(encoding="utf-8", newline="") as file:
        contract = {row["table"]: row for row in csv.DictReader(file)}
    assert set(PLANS) == set(contract)
    assert {table: domain for domain, builders in BUILDERS_BY_DOMAIN.items() for table in builders} == {
        table: row["domain"] for table, row in contract.items()
    }
    assert {table for table, plan in PLANS.items() if plan.grows} == {
        table for table, row in contract.items() if row["kind"] != "reference"
    }


@pytest.mark.parametrize(("scale", "rows"), [(1.0, 1_000_000), (0.05, 50_000)])
def test_the_scale_gives_about_the_rows_it_promises(scale: float, rows: int) -> None:
    days = demo_days(scale)
    assert sum(plan.count(scale, days) for plan in PLANS.values()) == pytest.approx(rows, rel=0.05)


def test_days_grow_with_the_scale_up_to_a_quarter_of_a_year() -> None:
    assert [demo_days(scale) for scale in (0.0001, 0.01, 0.05, 1, 100)] == [3, 5, 14, 90, 90]


@pytest.mark.parametrize("scale", [0.0001, 0.003, 0.05, 1, 40, 100])
def test_a_day_never_has_more_rows_than_entities(scale: float) -> None:
    days = demo_days(scale)
    users = PLANS["users"].count(scale, days)
    for table, plan in PLANS.items():
        if plan.growth is Growth.DAILY:
            assert plan.count(scale, days) == plan.rows_a_day(scale, days) * days
        if table == "customer_user_features":
            assert plan.rows_a_day(scale, days) <= users
        if table == "editorial_category_performance":
            assert plan.rows_a_day(scale, days) <= PLANS["categories"].rows
