"""A run that has ended, and that somebody else takes up again: whoever still looks at it sees it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.place import Place
from tests.browser.screen import Screen


def test_a_retry_of_a_shell_shows_in_all_tabs(screen: Screen, ledger: Place) -> None:
    with ledger.gate_shut():
        ledger.load("deliveries", "deliveries-1")
    tabs = [screen.open_run("deliveries", "deliveries-1"), screen.another_tab().open_run("deliveries", "deliveries-1")]
    for tab in tabs:
        tab.expect_figures(batches_succeeded=7, failed=3)
        tab.expect_link("ended")
    ledger.house.run("etl.staging", "retry", "--run", "deliveries-1")
    assert ledger.run("deliveries-1", "status", "batches_succeeded") == ("partial", 9)
    for tab in tabs:
        tab.expect_figures(batches_succeeded=9, failed=1)
        expect(tab.batch(3).get_by_text("Succeeded")).to_be_visible()
        tab.expect_link("ended")
