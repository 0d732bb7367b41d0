"""A load is configured, started and watched to its end."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser import shop
from tests.browser.place import Place
from tests.browser.screen import Screen


def test_a_load_with_batches_of_its_own_size_is_watched_to_its_end(screen: Screen, ledger: Place) -> None:
    screen.open()
    expect(screen.start_button).to_be_disabled()
    run_id = screen.configure("orders", 100)
    assert re.fullmatch(r"orders-\d{8}-\d{6}-[0-9a-f]{6}", run_id)
    with ledger.gate_shut():
        screen.start_button.click()
        expect(screen.page).to_have_url(re.compile(f"/etl/data-loader/orders/{run_id}$"))
        expect(screen.toast("Run started")).to_be_visible()
        screen.expect_status("Loading")
        screen.expect_link("live")
        screen.expect_figures(rows_inserted=500, batches_succeeded=5)
        expect(screen.batch(4).get_by_text("Succeeded")).to_be_visible()
        expect(screen.batch(5).get_by_text("Running")).to_be_visible()
        assert ledger.value("SELECT count(*) FROM stg_orders") == 500
    screen.expect_status("Success")
    expect(screen.toast("Run completed")).to_be_visible()
    screen.expect_link("ended")
    screen.expect_figures(rows_inserted=1000, rows_updated=0, rows_validated=1000, batches_succeeded=10, failed=0)
    expect(screen.rows).to_have_count(10)
    expect(screen.fact("Batch size")).to_have_text("100")
    expect(screen.fact("Requested by")).to_have_text("olga")
    assert ledger.run(run_id, "status", "batch_size", "rows_inserted", "requested_by") == (
        "success", 100, 1000, "olga",
    )  # fmt: skip
    assert ledger.value("SELECT count(*) FROM stg_orders WHERE etl_run_id = %s", run_id) == shop.ORDERS
