"""What is shown is of now, whatever is cut, killed or started again; and it is the same in all tabs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Route, expect

from tests.browser.place import Place
from tests.browser.screen import Screen

EVENTS = re.compile(r"/api/runs/[^/]+/events")
CHANGES = re.compile(r"/api/runs/[^/]+/changes")

FIGURES: dict[str, Any] = {"rows_inserted": 1000, "batches_succeeded": 10, "failed": 0}


def start_up_to_the_gate(screen: Screen, ledger: Place) -> str:
    """A run of ten batches, of which the sixth waits."""
    screen.open()
    run_id = screen.configure("orders", 100)
    screen.start_button.click()
    ledger.wait_at_the_gate()
    screen.expect_figures(rows_inserted=500)
    return run_id


def expect_whole(screen: Screen, ledger: Place, run_id: str) -> None:
    """Nothing is missing and nothing is there twice, on the page and in PostgreSQL."""
    screen.expect_status("Success")
    screen.expect_figures(**FIGURES)
    expect(screen.rows).to_have_count(10)
    for index in range(10):
        expect(screen.batch(index).get_by_text("Succeeded")).to_be_visible()
    assert ledger.run(run_id, "status", "rows_inserted", "batches_succeeded") == ("success", 1000, 10)
    assert ledger.value("SELECT count(*) FROM stg_orders WHERE etl_run_id = %s", run_id) == 1000


def abort(route: Route) -> None:
    route.abort("connectionreset")


def test_two_tabs_and_two_users_see_the_same(screen: Screen, ledger: Place, signed_in: Callable[..., Screen]) -> None:
    with ledger.gate_shut():
        run_id = start_up_to_the_gate(screen, ledger)
        others = [screen.another_tab(), signed_in("victor")]
        for other in others:
            other.open_run("orders", run_id)
            other.expect_link("live")
            other.expect_status("Loading")
            other.expect_figures(rows_inserted=500, batches_succeeded=5)
            for index in range(7):
                expect(other.batch(index)).to_be_visible()
                assert other.cells(index)[7] == screen.cells(index)[7]
    for each in (screen, *others):
        expect_whole(each, ledger, run_id)


def test_cancelled_in_one_tab_it_is_cancelled_in_the_other(screen: Screen, ledger: Place) -> None:
    with ledger.gate_shut():
        run_id = start_up_to_the_gate(screen, ledger)
        other = screen.another_tab().open_run("orders", run_id)
        other.expect_link("live")
        screen.press("Cancel")
        screen.confirm("Cancel the run")
        other.expect_status("Canceled")
        expect(other.page.get_by_role("button", name="Cancel", exact=True)).to_have_count(0)
