"""Behind nginx, set up as docs/page.md says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from etl.project import PROJECT_DIR
from tests.databases import Execute
from tests.integration.api.conftest import Page
from tests.integration.api.ledger import add_batches, add_run, end_run, store_batch
from tests.integration.api.streams import watching
from tests.nginx import nginx

pytestmark = pytest.mark.stack


def documented(page: Page) -> str:
    text = (PROJECT_DIR / "docs" / "page.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^    location / \{\n.*?^    \}\n", text, re.DOTALL | re.MULTILINE)
    assert "http://127.0.0.1:8400" in block
    return block.replace("http://127.0.0.1:8400", page.url)


def test_streams_come_through_as_they_are_sent(page: Page, ledger: Execute, tmp_path: Path) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 2)
    with nginx(documented(page), tmp_path) as url:
        with watching(url, "r") as stream:
            stream.next("change")
            store_batch(ledger, "r", 0)
            stream.until(lambda event: bool(event.data["batches"]))
            assert stream.next("ping").data["at"]
            last_id = stream.last_id
        store_batch(ledger, "r", 1)
        with watching(url, "r", last_id) as stream:
            stream.until(lambda event: bool(event.data["batches"]))
            assert stream.store[1]["status"] == "succeeded"
            end_run(ledger, "r")
            assert stream.names_to_the_end()[-1] == "end"
