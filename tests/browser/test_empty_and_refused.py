"""Nothing to show, or not for everybody: each state says why, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.place import Place
from tests.browser.screen import Screen


def test_no_job_chosen_and_no_run_yet(screen: Screen, ledger: Place) -> None:
    screen.open()
    expect(screen.page.get_by_text("No run chosen")).to_be_visible()
    screen.choose_job("orders")
    expect(screen.page).to_have_url(re.compile("job=orders"))
    expect(screen.page.get_by_text("No runs yet")).to_be_visible()


def test_a_run_without_batches(screen: Screen, ledger: Place) -> None:
    screen.open()
    screen.configure("nothing")
    screen.start_button.click()
    screen.expect_status("Success")
    expect(screen.page.get_by_text("No batches", exact=True)).to_be_visible()
    screen.tab("Validation").click()
    expect(screen.page.get_by_text("No validation issues")).to_be_visible()


def test_a_start_that_the_loader_refuses(screen: Screen, ledger: Place) -> None:
    screen.open()
    run_id = screen.configure("gone")
    screen.start_button.click()
    screen.expect_status("Failed")
    expect(screen.toast("Run failed")).to_be_visible()
    failure = str(ledger.value("SELECT failure FROM etl_runs WHERE id = %s", run_id))
    assert "absent.ndjson" in failure
    expect(screen.header.get_by_text("absent.ndjson")).to_be_visible()


def test_unknown_run_and_unknown_path(screen: Screen, ledger: Place) -> None:
    screen.open_run("orders", "never-was")
    expect(screen.page.get_by_text("No such run")).to_be_visible()
    screen.open("/etl/somewhere-else")
    expect(screen.page.get_by_role("link", name=re.compile("Data Loader")).first).to_be_visible()


def test_a_run_of_another_job_is_pointed_to(screen: Screen, ledger: Place) -> None:
    ledger.load("orders", "orders-1")
    screen.open_run("returns", "orders-1")
    expect(screen.page.get_by_text("This run belongs to another job")).to_be_visible()
    screen.page.get_by_role("link", name="Open it there").click()
    screen.expect_status("Success")


def test_a_viewer_looks_and_starts_nothing(signed_in: Callable[..., Screen], ledger: Place) -> None:
    with ledger.gate_shut():
        ledger.load("deliveries", "deliveries-1")
    screen = signed_in("victor").open_run("deliveries", "deliveries-1", "?status=failed")
    screen.expect_status("Partial success")
    expect(screen.rows).to_have_count(3)
    expect(screen.start_button).to_be_disabled()
    expect(screen.page.get_by_text("Your role is viewer")).to_be_visible()
    expect(screen.page.get_by_role("button", name=re.compile("Retry|Cancel|Read on"))).to_have_count(0)
    assert screen.download("Download", "Metrics (CSV)").stat().st_size > 0
    # nor by what the page does not offer
    refused = screen.page.evaluate(
        """async () => {
            const session = await (await fetch('/api/session')).json();
            const answer = await fetch('/api/runs/deliveries-1/retry', {
                method: 'POST', body: '{}',
                headers: {
                    'X-CSRF-Token': session.csrf_token, 'Idempotency-Key': 'k', 'Content-Type': 'application/json',
                },
            });
            return [answer.status, (await answer.json()).code];
        }"""
    )
    assert refused == [403, "no_permission"]
    assert ledger.value("SELECT count(*) FROM etl_run_requests") == 0
