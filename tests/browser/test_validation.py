"""Records that are invalid or rejected: how many, why, and the files of them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import orjson
from playwright.sync_api import expect

from tests.browser import shop
from tests.browser.place import Place
from tests.browser.screen import Screen

INVALID = len(shop.MISSING) + len(shop.MISSING_NAMES) + len(shop.MISSHAPEN)
REJECTED = len(shop.NO_IDS) + 1
STORED = shop.RETURNS - REJECTED


def lines_of(file: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()]


def test_faults_are_counted_as_postgresql_counts_them(screen: Screen, ledger: Place) -> None:
    ledger.load("returns", "returns-1")
    screen.open_run("returns", "returns-1")
    screen.expect_status("Success")
    screen.expect_figures(rows_inserted=STORED, rows_validated=ledger.run("returns-1", "rows_validated")[0])
    screen.tab("Validation").click()
    panel = screen.page.get_by_role("tabpanel", name=re.compile("Validation"))
    counts = {name: panel.locator(f'dt:text-is("{name}") + dd') for name in (
        "Required-field errors", "Shape errors", "Invalid rows", "Rejected rows",
    )}  # fmt: skip
    for name, found in ledger.execute(
        "SELECT 'Required-field errors', required_field_errors FROM etl_runs UNION ALL "
        "SELECT 'Shape errors', shape_errors FROM etl_runs UNION ALL "
        "SELECT 'Invalid rows', count(*) FROM stg_returns WHERE NOT is_valid UNION ALL "
        "SELECT 'Rejected rows', count(*) FROM etl_run_rejects"
    ):
        expect(counts[name], name).to_have_text(str(found))
    expect(counts["Required-field errors"]).to_have_text(str(len(shop.MISSING) + len(shop.MISSING_NAMES)))
    expect(counts["Shape errors"]).to_have_text(str(len(shop.MISSHAPEN)))
    expect(counts["Invalid rows"]).to_have_text(str(INVALID))
    expect(counts["Rejected rows"]).to_have_text(str(REJECTED))


def test_examples_say_where_what_and_with_which_value(screen: Screen, ledger: Place) -> None:
    ledger.load("returns", "returns-1")
    screen.open_run("returns", "returns-1", "?tab=validation")
    examples = screen.page.get_by_role("tabpanel").get_by_role("listitem")
    expect(examples).to_have_count(10)
    first = examples.first
    expect(first.get_by_text("/reason", exact=True)).to_be_visible()
    expect(first.get_by_text("absent")).to_be_visible()
    expect(first.get_by_text(f"r{shop.MISSING[0]}", exact=True)).to_be_visible()
    expect(examples.nth(len(shop.MISSING)).get_by_text("/customer/name", exact=True)).to_be_visible()
    # from the example to its batch
    first.get_by_role("button", name="0", exact=True).click()
    expect(screen.detail_of(0).get_by_text("/reason", exact=True).first).to_be_visible()
    screen.open_run("returns", "returns-1", "?expanded=3")
    misshapen = screen.detail_of(3).get_by_role("listitem").first
    expect(misshapen.get_by_text("/amount", exact=True)).to_be_visible()
    # as it stood there, and as text: what looks like HTML is none
    expect(misshapen.get_by_text(f'"{shop.MISSHAPEN[0]} <b>EUR</b>"', exact=True)).to_be_visible()
    expect(misshapen.locator("b")).to_have_count(0)


def test_the_files_hold_each_faulty_record_once(screen: Screen, ledger: Place) -> None:
    ledger.load("returns", "returns-1")
    screen.open_run("returns", "returns-1", "?tab=validation")
    invalid = lines_of(screen.download("Invalid records", "As NDJSON"))
    stored = ledger.execute("SELECT source_id FROM stg_returns WHERE NOT is_valid ORDER BY 1")
    assert sorted(str(line["source_id"]) for line in invalid) == [row[0] for row in stored]
    assert len(invalid) == INVALID
    rejects = lines_of(screen.download("Rejects", "As NDJSON"))
    assert len(rejects) == REJECTED == ledger.value("SELECT count(*) FROM etl_run_rejects")
    with screen.download("Rejects", "As CSV").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == REJECTED
    assert not [cell for row in rows for cell in row.values() if cell and cell.startswith(("=", "+", "@"))]
    with screen.download("Invalid records", "As CSV").open(newline="", encoding="utf-8-sig") as file:
        assert len(list(csv.DictReader(file))) == INVALID


def test_logs_and_metrics_are_files(screen: Screen, ledger: Place) -> None:
    ledger.load("returns", "returns-1")
    screen.open_run("returns", "returns-1")
    logs = lines_of(screen.download("Download", "Logs (NDJSON)"))
    assert {line["event"] for line in logs} >= {"stored"}
    with screen.download("Download", "Metrics (CSV)").open(newline="", encoding="utf-8-sig") as file:
        rows = list(csv.DictReader(file))
    expected = ledger.execute("SELECT batch_index, rows_inserted, rows_rejected FROM etl_run_batches ORDER BY 1")
    found = [(int(row["index"]), int(row["rows_inserted"]), int(row["rows_rejected"])) for row in rows]
    assert found == expected


def test_a_run_without_faults_says_so(screen: Screen, ledger: Place) -> None:
    ledger.load("orders", "orders-1")
    screen.open_run("orders", "orders-1", "?tab=validation")
    panel = screen.page.get_by_role("tabpanel")
    expect(panel.get_by_text("No validation issues")).to_be_visible()
    expect(panel.get_by_text("All 1,000 validated rows")).to_be_visible()
    expect(panel.get_by_role("button", name="Rejects")).to_have_count(0)
