"""Nothing to show, or not for everybody: each state says why, and what to do."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable

from playwright.sync_api import expect

from tests.browser.conftest import OpenContext
from tests.browser.place import PASSWORD, Place
from tests.browser.screen import HOME, Screen


def sign_in(screen: Screen, name: str = "olga", password: str = PASSWORD) -> None:
    screen.page.get_by_role("textbox", name="Name").fill(name)
    screen.page.get_by_label("Password").fill(password)
    screen.press("Sign in")


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


def test_nobody_comes_in_unseen_and_is_then_where_he_wanted_to_be(open_context: OpenContext, ledger: Place) -> None:
    ledger.load("returns", "returns-1")
    screen = Screen(open_context().new_page()).open_run("returns", "returns-1", "?tab=validation")
    expect(screen.page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(screen, password="not the right one")
    expect(screen.page.get_by_role("alert")).to_contain_text("Name or password is wrong.")
    sign_in(screen)
    screen.expect_status("Success")
    expect(screen.page).to_have_url(re.compile(r"/returns/returns-1\?tab=validation$"))
    expect(screen.page.get_by_text("Required-field errors")).to_be_visible()


def test_a_session_that_has_ended_is_begun_again_where_one_was(screen: Screen, ledger: Place) -> None:
    ledger.load("returns", "returns-1")
    screen.open_run("returns", "returns-1", "?status=succeeded&sort=-index")
    screen.expect_status("Success")
    expect(screen.rows).to_have_count(6)
    link = screen.page.url
    ledger.execute("DELETE FROM etl_sessions")
    screen.batch(2).click()
    expect(screen.page.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(screen)
    screen.expect_status("Success")
    expect(screen.page).to_have_url(re.compile(re.escape(link)))
    expect(screen.rows).to_have_count(6)
    assert screen.shown_batches() == [5, 4, 3, 2, 1, 0]
    expect(screen.detail_of(2).get_by_text("Where it is from")).to_be_visible()


def test_a_session_that_ends_while_a_run_is_watched(screen: Screen, ledger: Place) -> None:
    screen.open()
    with ledger.gate_shut():
        run_id = screen.configure("orders", 100)
        screen.start_button.click()
        ledger.wait_at_the_gate()
        ledger.execute("DELETE FROM etl_sessions")
        # what it asks by itself tells it
        expect(screen.page.get_by_role("heading", name="Sign in")).to_be_visible()
        sign_in(screen)
        screen.expect_status("Loading")
        screen.expect_link("live")
    screen.expect_status("Success")
    expect(screen.page).to_have_url(re.compile(run_id))


def test_who_signs_out_is_out_in_all_tabs(screen: Screen, ledger: Place) -> None:
    ledger.load("orders", "orders-1")
    screen.open_run("orders", "orders-1")
    other = screen.another_tab().open(HOME)
    expect(other.page.get_by_text("No run chosen")).to_be_visible()
    other.press("User olga")
    other.press("Sign out")
    expect(other.page.get_by_role("heading", name="Sign in")).to_be_visible()
    screen.page.reload()
    expect(screen.page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_server_is_gone_before_anything_was_shown_and_comes_back(screen: Screen, ledger: Place) -> None:
    ledger.load("orders", "orders-1")
    screen.open()
    expect(screen.page.get_by_text("No run chosen")).to_be_visible()
    ledger.end("page", signal.SIGTERM)
    screen.page.get_by_role("link", name="Last run of orders").click()
    expect(screen.page.get_by_text("The server does not answer").first).to_be_visible()
    ledger.start_page()
    screen.expect_status("Success")
    expect(screen.page.get_by_role("button", name="Try now")).to_have_count(0)
