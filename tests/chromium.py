"""Where a browser for the page's tests is; a machine need not have one."""

from __future__ import annotations

import os
import shutil

VARIABLE = "ETL_CHROMIUM"
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def chromium() -> str | None:
    """The one that ETL_CHROMIUM names, else the machine's own."""
    return os.environ.get(VARIABLE) or next(filter(None, map(shutil.which, _NAMES)), None)
