"""The URL is the state: reload, back and a pasted link bring all of it again; history, and what has changed since."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser import shop
from tests.browser.place import Place
from tests.browser.screen import HOME, Screen


def expect_filtered(screen: Screen) -> None:
    """As `test_all_that_is_looked_at…` has left it."""
    expect(screen.rows).to_have_count(4)
    assert screen.shown_batches() == [9, 8, 7, 6]
    expect(screen.page.get_by_role("searchbox")).to_have_value("")
    expect(screen.page.get_by_role("columnheader", name="Batch", exact=True)).to_have_attribute(
        "aria-sort", "descending"
    )
    expect(screen.page.get_by_label("Show batches that are").get_by_role("button", name="Failed")).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(screen.batch(8)).to_have_attribute("aria-expanded", "true")
    expect(screen.detail_of(8).get_by_text("Where it is from")).to_be_visible()


def fail_the_last_four(place: Place) -> None:
    place.load("orders", "orders-1", "--batch-size", "100")
    place.execute(
        "UPDATE etl_run_batches SET status = 'failed', committed_at = NULL, error_code = 'not_stored', "
        "error_message = 'its turn never came' WHERE batch_index > 5"
    )


def test_all_that_is_looked_at_is_there_again(screen: Screen, ledger: Place, signed_in: Callable[..., Screen]) -> None:
    fail_the_last_four(ledger)
    screen.open_run("orders", "orders-1")
    screen.show_only("Failed")
    screen.page.get_by_role("columnheader", name="Batch", exact=True).get_by_role("button").click()
    screen.batch(8).click()
    expect_filtered(screen)
    expect(screen.page).to_have_url(re.compile("expanded=8"))
    screen.page.reload()
    expect_filtered(screen)
    link = screen.page.url
    # elsewhere and back
    screen.tab("History").click()
    expect(screen.page.get_by_role("table")).to_be_visible()
    screen.page.go_back()
    expect_filtered(screen)
    screen.page.get_by_role("link", name="Data Loader, start").click()
    expect(screen.page).to_have_url(re.compile(f"{HOME}$"))
    screen.page.go_back()
    expect_filtered(screen)
    # another browser, another user
    other = signed_in("victor")
    other.open(link)
    expect_filtered(other)
    expect(other.page).to_have_url(link)


def test_what_makes_no_sense_in_a_link_is_passed_over(screen: Screen, ledger: Place) -> None:
    ledger.load("orders", "orders-1")
    screen.open_run("orders", "orders-1", "?tab=none&status=lost,failed&sort=-nothing&expanded=-1,x,99999&text=%00")
    screen.expect_status("Success")
    expect(screen.page.get_by_text("No batch matches")).to_be_visible()
    screen.press("Clear the filter")
    expect(screen.rows).to_have_count(4)


def test_history_and_what_has_changed_since_the_last_success(screen: Screen, ledger: Place) -> None:
    ledger.load("orders", "orders-1", "--batch-size", "500")
    shop.write_orders(ledger.records, note="second")
    ledger.load("orders", "orders-2", "--batch-size", "200")
    screen.open_run("orders", "orders-2")
    notice = screen.header.locator("details")
    expect(notice).to_contain_text("1 setting changed since the last success")
    notice.locator("summary").click()
    expect(notice.locator("dt")).to_have_text("batch_size")
    expect(notice.locator("del")).to_have_text("500")
    expect(notice.locator("ins")).to_have_text("200")
    screen.expect_figures(rows_inserted=0, rows_updated=1000)
    screen.tab("History").click()
    lines = screen.page.get_by_role("table").locator("tbody tr")
    expect(lines).to_have_count(2)
    expect(lines.nth(0)).to_contain_text("Success")
    expect(lines.nth(0).get_by_role("cell").nth(4)).to_have_text("1,000")
    screen.press("Show what changed before orders-2")
    expect(screen.page.get_by_role("table").locator("ins")).to_have_text("200")
    screen.page.get_by_role("link", name="orders-1", exact=True).click()
    expect(screen.page).to_have_url(re.compile("/orders/orders-1"))
    screen.expect_figures(rows_inserted=1000, rows_updated=0)
    expect(screen.header.locator("details")).to_have_count(0)


def test_what_each_row_of_the_page_says_is_what_postgresql_says(screen: Screen, ledger: Place) -> None:
    ledger.load("returns", "returns-1")
    shop.write_orders(ledger.records)
    screen.open_run("returns", "returns-1")
    expect(screen.rows).to_have_count(6)
    for index, *numbers in ledger.execute(
        "SELECT batch_index, attempts, rows_attempted, rows_inserted, rows_updated, rows_invalid "
        "FROM etl_run_batches ORDER BY 1"
    ):
        assert screen.cells(index)[1:6] == [str(number) for number in numbers]
    # lineage: each row names the run that stored it last, and the job that brought it first
    assert ledger.execute("SELECT DISTINCT etl_job_id, etl_run_id FROM stg_returns") == [("returns", "returns-1")]
    screen.batch(4).click()
    expect(screen.detail_of(4).get_by_text("returns.ndjson")).to_be_visible()
    expect(screen.detail_of(4).locator('dt:text-is("First row") + dd')).to_have_text("400")


def test_jobs_are_found_among_thousands(screen: Screen, ledger: Place) -> None:
    screen.open()
    screen.job_field.fill("feed 1234 of")
    expect(screen.page.get_by_text("1 job", exact=True)).to_be_visible()
    expect(screen.page.get_by_role("option")).to_have_count(1)
    expect(screen.page.get_by_role("option")).to_contain_text("feed_1234")
    screen.job_field.fill("feed_")
    expect(screen.page.get_by_text(f"{shop.FEEDS:,} jobs")).to_be_visible()
    assert screen.page.get_by_role("option").count() < 60
    screen.job_field.fill("nobody has this")
    expect(screen.page.get_by_text("No job has “nobody has this” in its name or description.")).to_be_visible()


def test_a_batch_size_that_is_none_is_told(screen: Screen, ledger: Place) -> None:
    screen.open()
    screen.configure("orders", 99)
    expect(screen.page.get_by_text("Between 100 and 10,000 rows, found 99.")).to_be_visible()
    expect(screen.start_button).to_be_disabled()
    screen.configure("orders", 10_000)
    expect(screen.start_button).to_be_enabled()
    screen.run_id_field.fill("no good id")
    expect(screen.page.get_by_text("found a space")).to_be_visible()
    expect(screen.start_button).to_be_disabled()
    screen.run_id_field.fill("0b1f7c1e-8f0a-4d5e-9a31-5a2f4d7f9c10")
    screen.start_button.click()
    expect(screen.page).to_have_url(re.compile("orders/0b1f7c1e-8f0a-4d5e-9a31-5a2f4d7f9c10"))
    screen.expect_status("Success")
    screen.run_id_field.fill("0b1f7c1e-8f0a-4d5e-9a31-5a2f4d7f9c10")
    screen.start_button.click()
    expect(screen.page.get_by_text("is in the ledger already; choose another run id")).to_be_visible()
