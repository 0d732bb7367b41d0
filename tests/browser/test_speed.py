"""A run of 12,000 batches, 200 of which change each second: what is asked of the page whatever the machine's speed."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from bench.page import BATCHES, JOB, RUN, fill, updating
from tests.browser.place import Place
from tests.browser.screen import Screen

MOST_ROWS = 80
_PLACE = "table => [table.scrollTop, document.activeElement.dataset.batch, String(getSelection())]"


@pytest.fixture
def large(ledger: Place) -> Place:
    fill(ledger.execute)
    return ledger


def test_few_rows_are_in_the_document_wherever_one_scrolls(large: Place, screen: Screen) -> None:
    screen.open_run(JOB, RUN)
    expect(screen.table).to_have_attribute("aria-rowcount", str(1 + BATCHES))
    for place in (0, 0.3, 0.7, 1):
        screen.table.evaluate("(table, place) => { table.scrollTop = place * table.scrollHeight; }", place)
        expect(screen.batch(round(place * (BATCHES - 1)))).to_be_attached()
        rows: list[list[int]] = screen.rows.evaluate_all(
            "rows => rows.map((row) => [Number(row.dataset.batch), Number(row.getAttribute('aria-rowindex'))])"
        )
        assert 5 < len(rows) <= MOST_ROWS
        assert [place - index for index, place in rows] == [2] * len(rows)


def test_updates_move_nothing(large: Place, screen: Screen) -> None:
    screen.open_run(JOB, RUN, "?expanded=6010")
    expect(screen.table).to_have_attribute("aria-rowcount", str(2 + BATCHES))
    screen.table.evaluate("table => { table.scrollTop = 6000 * 36; }")
    screen.batch(6005).focus()
    screen.batch(6003).evaluate("row => getSelection().selectAllChildren(row.firstElementChild)")
    before = screen.table.evaluate(_PLACE)
    assert before[1:] == ["6005", "6,003"]
    with updating(large.database_url):
        expect(screen.page.get_by_text("Succeeded 1,", exact=False)).to_be_visible()
    assert screen.table.evaluate(_PLACE) == before
    expect(screen.batch(6010)).to_have_attribute("aria-expanded", "true")
    assert screen.rows.count() <= MOST_ROWS
