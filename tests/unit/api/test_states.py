"""The table of states in docs/page.md is what the code does."""

from __future__ import annotations

import re

from etl.api.models import RunStatus
from etl.api.reading.states import ENDED, run_status
from etl.project import PROJECT_DIR

_ROW = re.compile(r"^\| `(\w+)` \| (`\w+`|—) \| (`\w+`|—) \| (yes|no|—) \|", re.MULTILINE)


def test_the_documented_table() -> None:
    page = (PROJECT_DIR / "docs" / "page.md").read_text(encoding="utf-8")
    found = set()
    for shown, status, phase, request in _ROW.findall(page):
        found.add(shown)
        if status == "—":
            assert shown == "idle"
            continue
        phases = ("queued", "validating", "loading", "committing") if phase == "—" else (phase.strip("`"),)
        requests = (True, False) if request == "—" else (request == "yes",)
        for each in phases:
            for has_open_request in requests:
                assert run_status(status.strip("`"), each, has_open_request=has_open_request) == shown
    assert found == {each.value for each in RunStatus}
    assert set(RunStatus) > ENDED
