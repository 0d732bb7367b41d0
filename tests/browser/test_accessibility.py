"""WCAG 2.2 AA: what axe finds, and what only using the page shows: keys, focus, sizes, zoom, motion, colours."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import faults_of
from tests.browser.conftest import OpenContext
from tests.browser.place import Place, wait_for
from tests.browser.screen import HOME, Screen

SIZES = {"wide": (1440, 1000), "narrow": (320, 800), "zoomed": (720, 450)}
"""`zoomed`: 1440 by 900 at 200 %."""

STILL = {"reduced_motion": "reduce"}
"""Nothing is caught between two colours."""

WHILE_A_LIST_IS_OPEN = ("aria-hidden-focus", "region", "page-has-heading-one")
"""React Aria hides all but field and list from screen readers, and not from Tab, which closes the list first."""

_FOCUSED = """() => {
    const element = document.activeElement;
    if (!element || element === document.body) return null;
    const ring = element.closest('[data-focus-visible]') ?? element;
    const rings = [element, ring, element.parentElement].map((each) => getComputedStyle(each));
    const box = element.getBoundingClientRect();
    const [x, y] = [box.left + box.width / 2, box.top + Math.min(box.height / 2, 20)];
    const onTop = document.elementFromPoint(x, y);
    return {
        name: `${element.tagName} ${element.getAttribute('aria-label') ?? element.textContent.slice(0, 40)}`,
        hasRing: rings.some(({outlineStyle, outlineWidth}) => outlineStyle !== 'none' && parseFloat(outlineWidth) >= 2),
        isSeen: onTop !== null && (element.contains(onTop) || onTop.contains(element)),
    };
}"""

_SMALL_TARGETS = """() => [...document.querySelectorAll(
    'button, a[href], input:not([type=hidden]), summary, [role=tab], [role=option], [role=radio], [data-batch]'
)].filter((each) => each.checkVisibility({visibilityProperty: true}) && !each.closest('.visually-hidden'))
  // React Aria's, for screen readers alone
  .filter((each) => each.parentElement.getBoundingClientRect().width > 1)
  // links in a sentence are as high as its line
  .filter((each) => getComputedStyle(each).display !== 'inline')
  .map((each) => [each, (each.matches('input') ? each.parentElement : each).getBoundingClientRect()])
  .filter(([, {width, height}]) => width > 1 && (width < 24 || height < 24))
  .map(([each, {width, height}]) => `${each.outerHTML.slice(0, 120)} ${width} × ${height}`)"""


@pytest.fixture
def mended(ledger: Place) -> Place:
    """With a run that had faults of every kind: a batch that no retry mends, and invalid records and rejects."""
    ledger.load("deliveries", "deliveries-1")
    ledger.load("returns", "returns-1")
    return ledger


def _home(screen: Screen) -> None:
    screen.open()
    expect(screen.page.get_by_text("Jobs that ran last")).to_be_visible()


def _job(screen: Screen) -> None:
    screen.open(f"{HOME}?job=deliveries")
    expect(screen.page.get_by_role("link", name="deliveries-1")).to_be_visible()


def _run(screen: Screen) -> None:
    screen.open_run("deliveries", "deliveries-1")
    expect(screen.rows.first).to_be_visible()


def _open_row(screen: Screen) -> None:
    screen.open_run("deliveries", "deliveries-1", "?status=failed&expanded=8")
    expect(screen.detail_of(8).get_by_role("heading", name="Log")).to_be_visible()


def _validation(screen: Screen) -> None:
    screen.open_run("returns", "returns-1", "?tab=validation")
    expect(screen.page.get_by_text("The first 10 examples")).to_be_visible()


def _history(screen: Screen) -> None:
    screen.open_run("deliveries", "deliveries-1", "?tab=history")
    expect(screen.page.get_by_role("link", name="deliveries-1")).to_be_visible()


def _dialog(screen: Screen) -> None:
    _run(screen)
    screen.page.get_by_role("button", name="Retry failed").click()
    expect(screen.dialog).to_be_visible()


def _unknown_run(screen: Screen) -> None:
    screen.open_run("deliveries", "nobody-knows-it")
    expect(screen.page.get_by_text("No such run")).to_be_visible()


def _unknown_page(screen: Screen) -> None:
    screen.open("/etl/nothing-here")
    expect(screen.page.get_by_text("No such page")).to_be_visible()


STATES: dict[str, Callable[[Screen], None]] = {
    "home": _home,
    "job": _job,
    "run": _run,
    "open row": _open_row,
    "validation": _validation,
    "history": _history,
    "dialog": _dialog,
    "unknown run": _unknown_run,
    "unknown page": _unknown_page,
}


def _looks(page: Page) -> list[str]:
    """In light and dark, wide, narrow and zoomed: axe's faults, targets that are too small, and what overflows."""
    found = []
    for size, (width, height) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found += [f"{size}, {scheme}: {fault}" for fault in faults_of(page)]
        found += [f"{size}: too small: {target}" for target in page.evaluate(_SMALL_TARGETS)]
        if (across := page.evaluate("document.scrollingElement.scrollWidth")) > width:
            found.append(f"{size}: {across} px wide")
    return found


def test_axe_finds_nothing_and_nothing_is_too_small_or_too_wide(
    mended: Place, signed_in: Callable[..., Screen]
) -> None:
    screen = signed_in(**STILL)
    found = []
    for name, show in STATES.items():
        screen.page.set_viewport_size({"width": 1440, "height": 1000})
        show(screen)
        found += [f"{name}, {fault}" for fault in _looks(screen.page)]
    assert found == []


def test_the_list_of_jobs(mended: Place, signed_in: Callable[..., Screen]) -> None:
    screen = signed_in(**STILL)
    screen.open()
    screen.job_field.fill("feed")
    expect(screen.page.get_by_role("option").first).to_be_visible()
    assert [fault for fault in faults_of(screen.page) if not fault.startswith(WHILE_A_LIST_IS_OPEN)] == []
    screen.page.keyboard.press("Tab")
    expect(screen.page.get_by_role("option")).to_have_count(0)
    assert faults_of(screen.page) == []


def test_signing_in(ledger: Place, open_context: OpenContext) -> None:
    page = open_context(**STILL).new_page()
    page.goto(HOME)
    expect(page.get_by_label("Name")).to_be_focused()
    assert _looks(page) == []
    page.get_by_label("Name").fill("olga")
    page.get_by_label("Password").fill("not hers")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Name or password is wrong.")
    assert _looks(page) == []


def test_a_load_by_keys_alone(ledger: Place, screen: Screen) -> None:
    """Choose a job, start it, filter, open a row, ask for a retry, and think better of it."""
    page, keys = screen.page, screen.page.keyboard
    screen.open()
    expect(screen.job_field).to_be_visible()
    _tab_to(page, screen.job_field)
    keys.type("deliveries")
    expect(page.get_by_role("option", name="deliveries")).to_be_visible()
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(screen.start_button).to_be_enabled()
    _tab_to(page, screen.start_button)
    keys.press("Enter")
    screen.expect_status("Partial success")

    _tab_to(page, page.get_by_role("searchbox"))
    keys.type("check")
    expect(screen.rows).to_have_count(1)
    _tab_to(page, screen.batch(8))
    keys.press("Enter")
    expect(screen.batch(8)).to_have_attribute("aria-expanded", "true")
    expect(screen.detail_of(8).get_by_role("heading", name="Log")).to_be_visible()
    retry = screen.detail_of(8).get_by_role("button", name="Retry this batch")
    _tab_to(page, retry)
    keys.press("Enter")
    dialog = screen.dialog
    expect(dialog).to_be_visible()
    keys.press("Escape")
    expect(dialog).to_have_count(0)
    expect(retry).to_be_focused()
    keys.press("Escape")
    expect(screen.batch(8)).to_be_focused()
    assert ledger.value("SELECT count(*) FROM etl_run_requests WHERE action = 'retry'") == 0


def test_the_focus_is_always_seen(mended: Place, screen: Screen) -> None:
    _open_row(screen)
    page = screen.page
    for key in ("Tab", "Shift+Tab"):
        stops = []
        for _ in range(120):
            page.keyboard.press(key)
            if (stop := page.evaluate(_FOCUSED)) is None:
                break
            stops.append(stop)
        assert len(stops) > 20
        assert [stop for stop in stops if not (stop["hasRing"] and stop["isSeen"])] == []


def test_rows_know_their_place_among_all(mended: Place, screen: Screen) -> None:
    """Batches 0 and 2 are open: each takes a row more; the header is the first."""
    screen.open_run("deliveries", "deliveries-1", "?expanded=0,2")
    expect(screen.detail_of(2)).to_be_visible()
    expect(screen.table).to_have_attribute("aria-rowcount", str(1 + 10 + 2))
    places: dict[str, str] = screen.table.evaluate(
        "table => Object.fromEntries([...table.querySelectorAll('[role=row]')].map((row) => "
        "[row.dataset.batch ?? `detail of ${row.dataset.detailOf ?? 'all'}`, row.getAttribute('aria-rowindex')]))"
    )
    ends = {"detail of all": "1", "0": "2", "detail of 0": "3", "1": "4", "2": "5", "detail of 2": "6", "3": "7"}
    assert ends.items() <= places.items()


def test_only_a_failure_interrupts(ledger: Place, screen: Screen) -> None:
    page = screen.page
    screen.open(f"{HOME}?job=orders")
    expect(screen.start_button).to_be_enabled()
    page.evaluate(
        "() => { window.said = []; for (const region of document.querySelectorAll('[aria-live]')) "
        "new MutationObserver(() => window.said.push([region.getAttribute('aria-live'), region.textContent])).observe("
        "region, {childList: true, characterData: true, subtree: true}); }"
    )
    screen.start_button.click()
    screen.expect_status("Success")
    wait_for(lambda: page.evaluate("window.said.some(([, words]) => /completed|Success/i.test(words))"))
    assert [words for politeness, words in page.evaluate("window.said") if politeness == "assertive" and words] == []

    screen.choose_job("gone")
    screen.start_button.click()
    screen.expect_status("Failed")
    wait_for(lambda: page.evaluate("window.said.some(([how, words]) => how === 'assertive' && /failed/i.test(words))"))


def test_nothing_moves_for_whoever_asks_for_stillness(ledger: Place, signed_in: Callable[..., Screen]) -> None:
    moving = "document.getAnimations().filter((each) => each.effect.getComputedTiming().duration > 0).length"
    counts: list[Any] = []
    for settings in ({}, STILL):
        screen = signed_in(**settings)
        with ledger.gate_shut():
            run_id = f"orders-{len(counts)}"
            ledger.execute("TRUNCATE stg_orders")  # what stands there already is not held
            screen.open(f"{HOME}?job=orders")
            expect(screen.start_button).to_be_enabled()
            screen.run_id_field.fill(run_id)
            screen.start_button.click()
            screen.expect_status("Loading")
            counts.append(screen.page.evaluate(moving))
        screen.expect_status("Success")
    assert counts[0] > 0
    assert counts[1] == 0


def test_states_are_told_without_colours(mended: Place, signed_in: Callable[..., Screen]) -> None:
    screen = signed_in(forced_colors="active", **STILL)
    _run(screen)
    badge = screen.batch(8).get_by_text("Failed")
    expect(badge).to_be_visible()
    assert badge.locator("svg").count() == 1
    bar = screen.page.get_by_role("img", name=re.compile("succeeded"))
    assert bar.evaluate("bar => getComputedStyle(bar.firstElementChild).backgroundColor") not in (
        screen.page.evaluate("getComputedStyle(document.body).backgroundColor"),
        "rgba(0, 0, 0, 0)",
    )
    assert faults_of(screen.page) == []


def _tab_to(page: Page, wanted: Any) -> None:
    """By Tab alone."""
    for _ in range(80):
        if wanted.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab never comes to {wanted}")
