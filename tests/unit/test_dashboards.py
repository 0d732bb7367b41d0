"""How our dashboards are laid out; what they ask for is held against the metrics beside those."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etl.project import PROJECT_DIR

DASHBOARDS = sorted((PROJECT_DIR / "conf" / "grafana").glob("*.json"))


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda file: file.stem)
def test_each_panel_has_a_title_and_a_place_of_its_own(dashboard: Path) -> None:
    panels = json.loads(dashboard.read_text())["panels"]
    places = {
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    }
    assert len(places) == sum(panel["gridPos"]["w"] * panel["gridPos"]["h"] for panel in panels)
    assert all(panel["title"] for panel in panels)
    assert {panel["id"] for panel in panels} == set(range(1, len(panels) + 1))


def test_each_is_found_under_an_address_and_a_title_of_its_own() -> None:
    read = [json.loads(file.read_text()) for file in DASHBOARDS]
    assert {each["uid"] for each in read} == {f"ownlens-{file.stem}" for file in DASHBOARDS}
    assert len({each["title"] for each in read}) == len(DASHBOARDS)
