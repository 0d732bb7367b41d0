"""What axe-core finds on a page as it stands, in its own words.

It is evaluated by the debugger's protocol, so that the page's Content-Security-Policy stays as it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from playwright.sync_api import Page

from etl.project import PROJECT_DIR

_FILE = PROJECT_DIR / "ui" / "node_modules" / "axe-core" / "axe.min.js"
_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def faults_of(page: Page) -> list[str]:
    page.evaluate(_source())
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", _TAGS
    )
    assert found["passes"], "axe has looked at nothing"
    return [
        f"{fault['id']}: {node['target']} {node['html'][:200]} {node['failureSummary']}"
        for fault in found["violations"]
        for node in fault["nodes"]
    ]


@cache
def _source() -> str:
    return _FILE.read_text(encoding="utf-8")
