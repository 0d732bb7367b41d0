"""Ids of events: what a reader may come back with."""

from __future__ import annotations

import re

import pytest

from etl.api.reading.seen import EVENT_ID, Seen, since

NOW = Seen("5f", "90:100:")


@pytest.mark.parametrize("open_ones", [0, 1, 20, 500])
def test_an_id_is_taken_back_however_many_transactions_are_open(open_ones: int) -> None:
    first = 4_000_000_000
    listed = ",".join(str(first + each) for each in range(open_ones))
    seen = Seen("5f", f"{first}:{first + open_ones + 1}:{listed}")
    assert re.fullmatch(EVENT_ID, seen.id)
    told_from = since(seen.id, NOW)
    assert told_from is not None and told_from.startswith(f"{first}:")


@pytest.mark.parametrize("event_id", ["0", "100", "60-90:100:", "5f-100:90:", "5f-90:100:95,92", "5f-90:100:101"])
def test_who_has_seen_nothing_or_another_incarnation_is_told_all(event_id: str) -> None:
    assert re.fullmatch(EVENT_ID, event_id)
    assert since(event_id, NOW) is None
