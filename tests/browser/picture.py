"""Takes README's picture of the page anew: `python -m tests.browser.picture`.

It is of the demo's load, once a batch has been tried again and another has failed.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from playwright.sync_api import expect, sync_playwright

from bench.chromium import launch
from etl.api.demo import scene
from etl.api.demo.house import house_at
from etl.project import PROJECT_DIR
from tests.browser.place import PASSWORD
from tests.browser.screen import Screen, sign_in

PICTURE = PROJECT_DIR / "docs" / "images" / "data-loader.png"
FOLDER = Path(tempfile.gettempdir()) / "data-loader"
"""Is seen in the picture."""
PATIENCE_MILLISECONDS = 600_000
SIZE = {"width": 1440, "height": 1000}


def main() -> None:
    with house_at(FOLDER) as house, sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MILLISECONDS)
        # before the load, which does not wait for it
        browser = launch(playwright)
        context = browser.new_context(viewport=SIZE, color_scheme="light", locale="en-GB", timezone_id="Europe/Berlin")
        context.set_default_timeout(PATIENCE_MILLISECONDS)
        url = house.start_database()
        scene.furnish(house, url, PASSWORD)
        with scene.rows_held(url):
            address = scene.start(house, url)
            sign_in(context, scene.USER, PASSWORD, address)
            take(Screen(context.new_page()), address, PICTURE)
        browser.close()


def take(screen: Screen, address: str, picture: Path) -> None:
    # what was tried again stands first
    screen.open(f"{address}?sort=-attempts")
    screen.expect_status("Loading")
    expect(screen.figure("Failed")).not_to_have_text("0")
    expect(screen.page.locator(".uplot").first).to_be_visible()
    # nothing of what has just begun covers anything
    expect(screen.toast(re.compile("."))).to_have_count(0)
    screen.expect_status("Loading")
    picture.parent.mkdir(parents=True, exist_ok=True)
    screen.page.screenshot(path=picture)


if __name__ == "__main__":
    main()
