"""What failed is found and retried; what runs is cancelled; who pressed is on record."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from tests.browser import shop
from tests.browser.place import Place
from tests.browser.screen import Screen

HELD_BATCHES = [number // 100 for number in shop.HELD_DELIVERIES]
PERMANENT = shop.FORBIDDEN_DELIVERY // 100
FAILED = sorted([*HELD_BATCHES, PERMANENT])


@pytest.fixture
def left_over(ledger: Place) -> Iterator[str]:
    """A run that has left two batches which time may have mended, and one that it will not."""
    with ledger.gate_shut():
        ledger.load("deliveries", "deliveries-1")
    assert ledger.run("deliveries-1", "status", "batches_failed") == ("partial", 3)
    return "deliveries-1"


def statuses(place: Place) -> dict[int, str]:
    return dict(place.execute("SELECT batch_index, status FROM etl_run_batches ORDER BY 1"))


def test_failed_batches_are_found_and_explained(screen: Screen, ledger: Place, left_over: str) -> None:
    screen.open_run("deliveries", left_over)
    screen.expect_status("Partial success")
    expect(screen.tab("Batches")).to_contain_text("3 failed")
    screen.show_only("Failed")
    expect(screen.rows).to_have_count(3)
    assert screen.shown_batches() == FAILED
    expect(screen.page.get_by_text("3 of 10 batches")).to_be_visible()
    expect(screen.page).to_have_url(re.compile("status=failed"))
    screen.page.get_by_role("searchbox").fill("23514")
    expect(screen.rows).to_have_count(1)
    screen.batch(PERMANENT).click()
    detail = screen.detail_of(PERMANENT)
    expect(detail.get_by_text("Error, which a retry alone will not mend")).to_be_visible()
    expect(detail.get_by_text("delivered_to_somebody").first).to_be_visible()
    detail.get_by_role("button", name="Stack trace").click()
    expect(detail.get_by_text("etl/staging/batch/store.py").first).to_be_visible()
    # the row itself stays where it is
    assert "d820-forbidden" not in detail.inner_text()
    screen.page.get_by_role("searchbox").fill("55P03")
    expect(screen.rows).to_have_count(2)
    screen.batch(HELD_BATCHES[0]).click()
    expect(screen.detail_of(HELD_BATCHES[0]).get_by_text("Attempt 1")).to_be_visible()
    expect(screen.detail_of(HELD_BATCHES[0]).get_by_text('"event":"retried"').first).to_be_visible()


def test_all_that_failed_is_retried_but_what_cannot_pass(screen: Screen, ledger: Place, left_over: str) -> None:
    before = ledger.execute("SELECT batch_index, committed_at FROM etl_run_batches WHERE status = 'succeeded'")
    screen.open_run("deliveries", left_over)
    screen.press(re.compile("Retry failed"))
    expect(screen.dialog).to_contain_text("2 batches with 200 rows")
    expect(screen.dialog).to_contain_text("Include 1 batch (100 rows)")
    expect(screen.dialog.get_by_role("checkbox")).not_to_be_checked()
    screen.confirm("Retry 2 batches")
    expect(screen.toast("Retry requested")).to_be_visible()
    expect(screen.toast("Run completed in part")).to_be_visible()
    screen.expect_figures(batches_succeeded=9, failed=1, rows_inserted=900)
    assert statuses(ledger) == {index: "failed" if index == PERMANENT else "succeeded" for index in range(10)}
    stored = dict(ledger.execute("SELECT batch_index, committed_at FROM etl_run_batches WHERE status = 'succeeded'"))
    assert {index: stored[index] for index, _ in before} == dict(before), "what was stored was stored again"
    assert ledger.value("SELECT count(*) FROM stg_deliveries WHERE etl_run_id = %s", left_over) == 900
    # once its cause is mended, with it
    ledger.execute("ALTER TABLE stg_deliveries DROP CONSTRAINT delivered_to_somebody")
    try:
        screen.press(re.compile("Retry failed"))
        expect(screen.dialog).to_contain_text("No batch is left that time may have mended.")
        screen.dialog.get_by_text("Include 1 batch").click()
        screen.confirm("Retry 1 batch")
        screen.expect_status("Success")
    finally:
        ledger.execute("DELETE FROM stg_deliveries WHERE source_id LIKE '%-forbidden'")
        ledger.execute(shop.FAULTS.splitlines()[-1])
    assert ledger.run(left_over, "status", "rows_inserted") == ("success", 1000)
    asked = ledger.execute("SELECT action, parameters, requested_by FROM etl_run_requests ORDER BY id")
    assert asked == [
        ("retry", {"batch_indexes": None, "includes_permanent": False}, "olga"),
        ("retry", {"batch_indexes": None, "includes_permanent": True}, "olga"),
    ]


def test_one_batch_is_retried_alone(screen: Screen, ledger: Place, left_over: str) -> None:
    screen.open_run("deliveries", left_over, "?status=failed")
    chosen, other = HELD_BATCHES
    screen.page.get_by_role("button", name=f"Retry batch {chosen}").click()
    expect(screen.dialog).to_contain_text(f"Retry batch {chosen}?")
    expect(screen.dialog).to_contain_text("1 batch with 100 rows")
    screen.confirm("Retry 1 batch")
    expect(screen.rows).to_have_count(2)
    screen.expect_figures(batches_succeeded=8, failed=2)
    screen.expect_status("Partial success")
    found = statuses(ledger)
    assert (found[chosen], found[other], found[PERMANENT]) == ("succeeded", "failed", "failed")
    assert ledger.value("SELECT attempts FROM etl_run_batches WHERE batch_index = %s", chosen) == 3


def test_transient_errors_are_told_while_they_happen(screen: Screen, ledger: Place) -> None:
    screen.open()
    with ledger.gate_shut():
        screen.configure("deliveries")
        screen.start_button.click()
        expect(screen.toast("Transient database error (will retry)").first).to_be_visible()
        screen.expect_status("Partial success")
    expect(screen.toast("Run completed in part")).to_be_visible()


def test_a_run_is_cancelled_and_taken_up_again(screen: Screen, ledger: Place) -> None:
    screen.open()
    run_id = screen.configure("orders", 100)
    with ledger.gate_shut():
        screen.start_button.click()
        ledger.wait_at_the_gate()
        screen.press("Cancel")
        expect(screen.dialog).to_contain_text("Cancel this run?")
        screen.confirm("Cancel the run")
        # although a batch waits for a lock
        screen.expect_status("Canceled")
    expect(screen.toast("Run canceled")).to_be_visible()
    expect(screen.header.get_by_text("by olga").first).to_be_visible()
    assert ledger.run(run_id, "status", "cancelled_by", "rows_inserted") == ("canceled", "olga", 500)
    screen.press(re.compile("Retry failed|Read on"))
    screen.dialog.get_by_role("button", name=re.compile("^(Retry|Read on)")).click()
    screen.expect_status("Success")
    screen.expect_figures(rows_inserted=1000, batches_succeeded=10, failed=0)
    assert ledger.value("SELECT count(*) FROM stg_orders") == 1000


def test_a_queued_run_is_cancelled_at_once(screen: Screen, ledger: Place) -> None:
    ledger.end("worker")
    ledger.execute("UPDATE etl_workers SET heartbeat_at = now() - interval '1 hour'")
    screen.open()
    run_id = screen.configure("orders")
    screen.start_button.click()
    screen.expect_status("Queued")
    expect(screen.header.get_by_text("no worker is running")).to_be_visible()
    screen.press("Cancel")
    expect(screen.dialog).to_contain_text("It has not begun")
    screen.confirm("Cancel the run")
    screen.expect_status("Canceled")
    assert ledger.run(run_id, "status", "started_at") == ("canceled", None)


@pytest.mark.parametrize("presses", ["two clicks", "a click and Enter"])
def test_pressed_twice_it_starts_once(screen: Screen, ledger: Place, presses: str) -> None:
    screen.open()
    screen.configure("orders")
    if presses == "two clicks":
        screen.start_button.dblclick()
    else:
        # both before the page has drawn anything
        screen.start_button.evaluate("button => { button.click(); button.form.requestSubmit() }")
    screen.expect_status("Success")
    expect(screen.dialog).to_have_count(0)
    assert ledger.value("SELECT count(*) FROM etl_runs") == 1
    assert ledger.value("SELECT count(*) FROM etl_run_requests") == 1


def test_a_second_run_of_a_job_is_started_only_after_a_question(screen: Screen, ledger: Place) -> None:
    screen.open()
    with ledger.gate_shut():
        first = screen.configure("orders")
        screen.start_button.click()
        ledger.wait_at_the_gate()
        expect(screen.page.get_by_text("A run of this job is in progress")).to_be_visible()
        screen.start_button.click()
        expect(screen.dialog).to_contain_text("Another run of this job is in progress")
        expect(screen.dialog.get_by_role("link", name=first)).to_be_visible()
        screen.dialog.get_by_role("button", name="Back").click()
        assert ledger.value("SELECT count(*) FROM etl_runs") == 1
        screen.start_button.click()
        screen.dialog.get_by_role("button", name="Start anyway").dblclick()
        expect(screen.page).not_to_have_url(re.compile(first))
    screen.expect_status("Success")
    assert ledger.value("SELECT count(*) FROM etl_runs") == 2
