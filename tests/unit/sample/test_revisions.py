"""What changes when days go by."""

from __future__ import annotations

import csv
from pathlib import Path

from etl.sample.revisions import REVISIONS

_CONTRACT_FILE = Path(__file__).parents[2] / "contract_tables.csv"


def test_every_table_but_the_events_is_revised() -> None:
    with _CONTRACT_FILE.open(encoding="utf-8", newline="") as file:
        contract = list(csv.DictReader(file))
    assert set(REVISIONS) == {row["table"] for row in contract if row["kind"] != "event"}
    assert {table for table, revision in REVISIONS.items() if revision.recent_by} == {
        row["table"] for row in contract if row["kind"] == "aggregate"
    }


def test_no_revision_touches_a_key() -> None:
    with _CONTRACT_FILE.open(encoding="utf-8", newline="") as file:
        keys = {row["table"]: row["key"].split() for row in csv.DictReader(file)}
    for table, revision in REVISIONS.items():
        assigned = {part.split("=")[0].strip() for part in revision.assignments.split(", ")}
        assert not assigned & {*keys[table], "created_at", "updated_at"}
