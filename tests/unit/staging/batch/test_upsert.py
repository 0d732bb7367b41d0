from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from etl.staging.batch.upsert import Target, instant_array, text_array
from etl.statements.staging.tables import StagingTable


def unquoted(literal: str) -> list[str]:
    """As PostgreSQL reads an array literal whose elements are all quoted."""
    elements: list[str] = []
    position = 1
    while literal[position] != "}":
        assert literal[position] == '"'
        position += 1
        text = ""
        while literal[position] != '"':
            position += literal[position] == "\\"
            text += literal[position]
            position += 1
        elements.append(text)
        position += 1 + (literal[position + 1] == ",")
    return elements


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_any_texts_come_through_an_array_literal(texts: list[str]) -> None:
    assert unquoted(text_array(texts)) == texts


INSTANTS = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-3, minutes=-30))]))


@given(st.lists(INSTANTS | st.none()))
def test_any_instants_come_through_an_array_literal(instants: list[datetime | None]) -> None:
    elements = instant_array(instants)[1:-1].replace('"', "").split(",") if instants else []
    assert [None if each.upper() == "NULL" else datetime.fromisoformat(each) for each in elements] == instants


def test_an_offset_keeps_its_seconds() -> None:
    odd = datetime(1900, 1, 1, tzinfo=timezone(timedelta(seconds=1172)))
    assert instant_array([odd, None]) == "{1900-01-01T00:00:00+00:19:32,NULL}"


def test_digests_are_asked_for_first_while_many_records_are_unchanged() -> None:
    target = Target(StagingTable("stg_events"), "job", "run", 1, skip_unchanged=True, compares=True)
    assert target.asks_first  # nobody knows yet
    asked = []
    for rows, unchanged in ((1000, 100), (0, 0), (1000, 400), (1000, 0)):
        target.expectation.learn(rows, unchanged)
        asked.append(target.asks_first)
    assert asked == [False, False, True, False]
    assert not Target(StagingTable("stg_events"), "job", "run", 1, skip_unchanged=True).asks_first
    assert not Target(StagingTable("stg_events", has_hash_digest=False), "job", "run", 1, True, True).asks_first
