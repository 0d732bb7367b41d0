"""What is shown is of now, whatever is cut, killed or started again; and it is the same in all tabs."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Route, expect

from tests.browser.place import Place, wait_for
from tests.browser.screen import Screen
from tests.cable import cable_to

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


def test_without_events_it_asks_and_goes_back_to_events_by_itself(screen: Screen, ledger: Place) -> None:
    screen.page.route(EVENTS, abort)
    with ledger.gate_shut():
        run_id = start_up_to_the_gate(screen, ledger)
        screen.expect_link("polling")
        screen.page.unroute(EVENTS, abort)
        screen.expect_link("live")
        # and again, in the midst of it
        screen.page.route(EVENTS, abort)
        ledger.end("page", signal.SIGKILL)
        screen.expect_link("unreachable")
        expect(screen.page.get_by_role("button", name="Try now")).to_be_visible()
        ledger.start_page()
        screen.expect_link("polling")
        expect(screen.page.get_by_role("button", name="Try now")).to_have_count(0)
    expect_whole(screen, ledger, run_id)


def test_a_network_that_is_gone_for_a_while_loses_nothing(signed_in: Callable[..., Screen], ledger: Place) -> None:
    with cable_to("127.0.0.1", ledger.port) as cable:
        screen = signed_in(base_url=f"http://127.0.0.1:{cable.port}")
        with ledger.gate_shut():
            run_id = start_up_to_the_gate(screen, ledger)
            screen.expect_link("live")
            cable.pull()
            screen.expect_link("unreachable")
        wait_for(lambda: ledger.run(run_id, "status") == ("success",))
        screen.expect_figures(rows_inserted=500)
        cable.plug()
        expect_whole(screen, ledger, run_id)
        screen.expect_link("ended")


def test_the_api_is_killed_and_started_again_while_it_runs(screen: Screen, ledger: Place) -> None:
    with ledger.gate_shut():
        run_id = start_up_to_the_gate(screen, ledger)
        screen.expect_link("live")
        load = ledger.loads()
        ledger.end("page", signal.SIGKILL)
        screen.expect_link("unreachable")
        assert [each.pid for each in ledger.loads()] == [each.pid for each in load]
        ledger.start_page()
        screen.expect_link("live")
        # nobody had to sign in again
        screen.expect_status("Loading")
    expect_whole(screen, ledger, run_id)
    assert ledger.value("SELECT max(attempts) FROM etl_run_batches") == 1


def test_the_api_ends_while_a_run_does(screen: Screen, ledger: Place) -> None:
    """All of the rest happens while nobody can be asked."""
    with ledger.gate_shut():
        run_id = start_up_to_the_gate(screen, ledger)
        screen.expect_link("live")
        ledger.end("page", signal.SIGTERM)
    wait_for(lambda: ledger.run(run_id, "status") == ("success",))
    screen.expect_link("unreachable")
    ledger.start_page()
    expect_whole(screen, ledger, run_id)
    expect(screen.toast("Run completed")).to_be_visible()


def test_a_worker_is_killed_and_its_load_goes_on(screen: Screen, ledger: Place) -> None:
    with ledger.gate_shut():
        run_id = start_up_to_the_gate(screen, ledger)
        (load,) = ledger.loads()
        ledger.end("worker", signal.SIGKILL)
        assert load.is_running()
    expect_whole(screen, ledger, run_id)
    # the next one takes up what is asked of it
    second = screen.configure("returns")
    screen.start_button.click()
    screen.expect_status("Queued")
    ledger.start_worker()
    screen.expect_status("Success")
    assert ledger.run(second, "status") == ("success",)


def test_a_load_is_killed_and_mended_by_a_retry(screen: Screen, ledger: Place) -> None:
    with ledger.gate_shut():
        run_id = start_up_to_the_gate(screen, ledger)
        (load,) = ledger.loads()
        load.kill()
        expect(screen.header.get_by_text("Nothing heard of it")).to_be_visible()
    # as if the minute had passed
    ledger.execute("UPDATE etl_runs SET heartbeat_at = now() - interval '1 hour'")
    expect(screen.toast(re.compile("Run (failed|completed in part)"))).to_be_visible()
    screen.press(re.compile("Retry failed|Read on"))
    screen.dialog.get_by_role("button", name=re.compile("^(Retry|Read on)")).click()
    expect_whole(screen, ledger, run_id)
