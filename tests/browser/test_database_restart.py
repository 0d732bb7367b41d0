"""PostgreSQL goes away in the midst of a run and comes back: page, API, worker and load find one another again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import psycopg2
import pytest
from playwright.sync_api import expect

from etl.stack.embedded import Stack
from etl.stack.layout import Layout
from tests.browser.place import Place, place_on, wait_for
from tests.browser.screen import Screen
from tests.databases import statements_of
from tests.restarting import own_postgresql, server_of, start
from tests.stacks import own_data_dir

TROUBLE = "Database out of reach, trying again"


@pytest.fixture(scope="module")
def layout() -> Iterator[Layout]:
    with own_postgresql("browser-postgresql") as layout:
        yield layout


@pytest.fixture(scope="module")
def place(built_page: None, layout: Layout) -> Iterator[Place]:
    """On a server of its own, that may be broken."""
    with place_on(server_of(layout), own_data_dir("browser-restart")) as place:
        yield place


def crash(layout: Layout) -> None:
    """As when the power fails: what is not on the disk is forgotten."""
    (server,) = [each for each in Stack(layout, say=print).status() if each.name == "postgresql"]
    assert server.process_ids
    for process_id in server.process_ids:
        os.kill(process_id, signal.SIGKILL)
    wait_for(lambda: not _answers(layout))


def _answers(layout: Layout) -> bool:
    try:
        psycopg2.connect(**server_of(layout).connection_parameters).close()
    except psycopg2.OperationalError:
        return False
    return True


def test_a_run_outlives_its_database(screen: Screen, ledger: Place, layout: Layout) -> None:
    screen.open()
    with ledger.gate_shut():
        run_id = screen.configure("orders", 100)
        screen.start_button.click()
        ledger.wait_at_the_gate()
        screen.expect_figures(rows_inserted=500)
        crash(layout)
        expect(screen.link_state).to_contain_text(TROUBLE)
        # what was read before can be read on
        expect(screen.batch(2).get_by_text("Succeeded")).to_be_visible()
        screen.batch(2).click()
        expect(screen.page.get_by_text("The database does not answer").first).to_be_visible()
        start(layout)
    with statements_of(server_of(layout)) as execute:
        # the gate's keeper has gone with the server
        ledger.execute = execute
        expect(screen.link_state).not_to_contain_text(TROUBLE)
        wait_for(lambda: ledger.run(run_id, "finished_at") != (None,))
        if ledger.run(run_id, "status") == ("partial",):
            # batches that the crash has made it forget are left to a retry
            screen.expect_status("Partial success")
            screen.page.get_by_role("button", name="Retry failed").click()
            screen.dialog.get_by_role("button", name="Retry").click()
        screen.expect_status("Success")
        screen.expect_figures(rows_inserted=1000, batches_succeeded=10, failed=0)
        expect(screen.rows).to_have_count(10)
        expect(screen.detail_of(2).get_by_text("Where it is from")).to_be_visible()
        expect(screen.page.get_by_role("button", name="Try now")).to_have_count(0)
        assert ledger.value("SELECT count(*) FROM stg_orders") == 1000
        # and it all goes on: the next one is asked for and begun
        second = screen.configure("returns")
        screen.start_button.click()
        screen.expect_status("Success")
        assert ledger.run(second, "status") == ("success",)
