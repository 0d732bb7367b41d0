"""The browser for the page's tests and measurements; a machine need not have one."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Playwright

VARIABLE = "ETL_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# nothing of what a browser does for itself
_FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
          "--disable-component-update", "--disable-sync")  # fmt: skip


def chromium() -> str | None:
    """The one that ETL_CHROMIUM names, else the machine's own."""
    return os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, _NAMES)), None)


def launch(playwright: Playwright) -> Browser:
    """Raises RuntimeError where there is none."""
    path = chromium()
    if path is None:
        raise RuntimeError(
            f"expected Chromium on PATH, found none; Debian: apt-get install chromium; {VARIABLE} names another browser"
        )
    return playwright.chromium.launch(executable_path=path, args=_FLAGS)
