"""A run of 12,000 batches: all of them are there, few of them in the document, and what is looked at stays put."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.place import Place
from tests.browser.screen import Screen
from tests.integration.api.ledger import add_batches, add_run, end_run, fail_batch, store_batch

RUN = "many-1"
BATCHES = 12_000
STORED = 9_000
FAILED = (17, 4_711, 8_123)
MOST_ROWS = 80
TOTALS = """
UPDATE etl_runs SET (batches, batches_succeeded, batches_failed, rows_attempted, rows_inserted, rows_validated) = (
    SELECT count(*), count(*) FILTER (WHERE status = 'succeeded'), count(*) FILTER (WHERE status = 'failed'),
        sum(rows_attempted), sum(rows_inserted), sum(rows_inserted) FROM etl_run_batches
)
"""


@pytest.fixture
def many(screen: Screen, ledger: Place) -> Screen:
    # whoever looks for dead runs leaves it alone
    add_run(ledger.execute, RUN, host="here", process_id=1, heartbeat_at="2100-01-01T00:00:00Z")
    add_batches(ledger.execute, RUN, BATCHES)
    ledger.execute(
        "UPDATE etl_run_batches SET status = 'succeeded', committed_at = clock_timestamp(), attempts = 1, "
        "rows_attempted = 100, rows_inserted = 100, duration_ms = 5 + batch_index %% 50 WHERE batch_index < %s",
        (STORED,),
    )
    for index in FAILED:
        ledger.execute("UPDATE etl_run_batches SET status = 'pending', committed_at = NULL, rows_attempted = 0, "
                       "rows_inserted = 0 WHERE batch_index = %s", (index,))  # fmt: skip
        fail_batch(ledger.execute, RUN, index, is_permanent=index == FAILED[0])
    ledger.execute(TOTALS)
    screen.open_run("orders", RUN)
    expect(screen.table).to_have_attribute("aria-rowcount", str(BATCHES + 1))
    return screen


def scroll(screen: Screen, share: float) -> None:
    screen.table.evaluate("(table, share) => { table.scrollTop = share * table.scrollHeight }", share)


def test_all_are_counted_and_few_are_in_the_document(many: Screen, ledger: Place) -> None:
    stored = STORED - len(FAILED)
    many.expect_figures(batches_succeeded=stored, failed=len(FAILED), rows_inserted=stored * 100)
    assert ledger.run(RUN, "batches_succeeded", "rows_inserted") == (stored, stored * 100)
    for share in (0, 0.3, 0.7, 1):
        scroll(many, share)
        # of the header and the rows before it
        expect(many.batch(min(BATCHES - 1, int(share * BATCHES)))).to_be_visible()
        assert 0 < many.rows.count() <= MOST_ROWS
    assert many.batch(BATCHES - 1).get_attribute("aria-rowindex") == str(BATCHES + 1)
    many.show_only("Failed")
    expect(many.rows).to_have_count(len(FAILED))
    assert many.shown_batches() == list(FAILED)
    many.show_only("Failed", "Pending")
    expect(many.table).to_have_attribute("aria-rowcount", str(BATCHES - STORED + 1))
    many.show_only("Pending")
    many.page.get_by_role("columnheader", name="Duration").get_by_role("button").click()
    expect(many.batch(49)).to_be_visible()
    many.page.get_by_role("searchbox").fill("11999")
    expect(many.rows).to_have_count(1)


def test_place_focus_and_open_rows_stay_while_others_change(many: Screen, ledger: Place) -> None:
    scroll(many, 0.5)
    expect(many.batch(6_000)).to_be_visible()
    many.batch(6_000).click()
    expect(many.detail_of(6_000).get_by_text("Where it is from")).to_be_visible()
    expect(many.batch(6_000)).to_be_focused()
    before = many.table.evaluate("table => table.scrollTop")
    place = many.batch(6_000).bounding_box()
    for index in range(STORED, STORED + 300):
        store_batch(ledger.execute, RUN, index)
    ledger.execute(TOTALS)
    many.expect_figures(batches_succeeded=STORED + 300 - len(FAILED))
    assert many.table.evaluate("table => table.scrollTop") == before
    assert many.batch(6_000).bounding_box() == place
    expect(many.batch(6_000)).to_be_focused()
    expect(many.detail_of(6_000).get_by_text("Where it is from")).to_be_visible()
    scroll(many, 1)
    expect(many.batch(BATCHES - 1)).to_be_visible()


def test_by_the_keyboard_from_the_first_to_the_last(many: Screen, ledger: Place) -> None:
    many.batch(0).focus()
    many.page.keyboard.press("ArrowDown")
    expect(many.batch(1)).to_be_focused()
    many.page.keyboard.press("Enter")
    expect(many.detail_of(1).get_by_text("Where it is from")).to_be_visible()
    many.page.keyboard.press("Control+End")
    expect(many.batch(BATCHES - 1)).to_be_focused()
    assert many.rows.count() <= MOST_ROWS
    many.page.keyboard.press("Control+Home")
    expect(many.batch(0)).to_be_focused()


def test_the_end_of_a_large_run_is_told_to_who_looks(many: Screen, ledger: Place) -> None:
    ledger.execute(
        "UPDATE etl_run_batches SET status = 'succeeded', committed_at = clock_timestamp(), attempts = attempts + 1, "
        "rows_attempted = 100, rows_inserted = 100, duration_ms = 5 WHERE status = 'pending'"
    )
    ledger.execute(TOTALS)
    end_run(ledger.execute, RUN, "partial")
    many.expect_status("Partial success")
    many.expect_link("ended")
    many.expect_figures(batches_succeeded=BATCHES - len(FAILED), failed=len(FAILED))
    many.show_only("Succeeded")
    expect(many.table).to_have_attribute("aria-rowcount", str(BATCHES - len(FAILED) + 1))
    many.press(re.compile("Retry failed"))
    expect(many.dialog).to_contain_text("2 batches with 200 rows")
    expect(many.dialog).to_contain_text("Include 1 batch (100 rows)")
