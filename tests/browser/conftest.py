"""The page in a real browser, over the API as its users start it, a worker and PostgreSQL.

`make proof` runs these. Each module has an installation of its own, each test a ledger without runs and a browser
without cookies. What a test finds on the page it asks PostgreSQL about, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, expect, sync_playwright

from bench.chromium import launch
from etl.project import PROJECT_DIR
from tests.browser.place import PASSWORD, PATIENCE_SECONDS, Place, place_on
from tests.browser.screen import Screen, sign_in
from tests.conftest import RunningStack
from tests.databases import database_of_its_own
from tests.stacks import own_data_dir

PATIENCE_MILLISECONDS = PATIENCE_SECONDS * 1000

OpenContext = Callable[..., BrowserContext]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            for marker in (pytest.mark.slow, pytest.mark.browser, pytest.mark.stack):
                item.add_marker(marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A picture of each open page, where a story failed."""
    report = yield
    if report.failed and call.when == "call":
        for name, found in getattr(item, "funcargs", {}).items():
            if isinstance(found, Screen):
                _take_picture(found.page, f"{item.name}-{name}")
    return report


@pytest.fixture(scope="session")
def built_page() -> None:
    """By the project's own set-up; a moment where nothing has changed."""
    subprocess.run([sys.executable, "scripts/page.py", "build"], cwd=PROJECT_DIR, check=True)


@pytest.fixture(scope="module")
def place(built_page: None, stack: RunningStack, request: pytest.FixtureRequest) -> Iterator[Place]:
    """Without a page and a worker, which `ledger` starts."""
    with database_of_its_own(stack.settings.postgresql, "browser_test") as server:
        folder = own_data_dir(f"browser-{request.module.__name__.rpartition('.')[2]}")
        with place_on(server, folder) as place:
            yield place


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    # of a module: its event loop would stand in the way of other tests' own
    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MILLISECONDS)
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = launch(playwright)
    yield browser
    browser.close()


@pytest.fixture
def ledger(place: Place) -> Place:
    """The place, with page and worker, before its first run."""
    place.clear()
    return place


@pytest.fixture
def open_context(browser: Browser, ledger: Place) -> Iterator[OpenContext]:
    """Makes a browser of somebody's own: without cookies, or those of a `storage_state`. What the page's scripts trip
    over, and what its own Content-Security-Policy forbids it, fails the test."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def open_context(**settings: Any) -> BrowserContext:
        usual = {
            "base_url": ledger.address,
            "viewport": {"width": 1440, "height": 1000},
            "locale": "en-US",
            "timezone_id": "Europe/Berlin",
        }
        context = browser.new_context(accept_downloads=True, **{**usual, **settings})
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        context.on("weberror", lambda error: faults.append(str(error.error)))
        context.on("console", lambda message: faults.extend(_faults_in(message)))
        contexts.append(context)
        return context

    yield open_context
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def signed_in(open_context: OpenContext) -> Callable[..., Screen]:
    """A page in a browser of its own, where somebody has signed in, and that is still blank."""

    def signed_in(name: str = "olga", **settings: Any) -> Screen:
        context = open_context(**settings)
        sign_in(context, name, PASSWORD)
        return Screen(context.new_page())

    return signed_in


@pytest.fixture
def screen(signed_in: Callable[..., Screen]) -> Screen:
    """Of an operator."""
    return signed_in()


def _faults_in(message: ConsoleMessage) -> Iterator[str]:
    """Requests that a server refused or did not take are told there, too, and are what some stories are about."""
    if message.type == "error" and "Failed to load resource" not in message.text:
        yield f"{message.text} ({message.location['url']})"


def _take_picture(page: Page, name: str) -> None:
    folder = Path(os.environ.get("ETL_LOG_DIR", PROJECT_DIR / "logs")) / "browser"
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")
