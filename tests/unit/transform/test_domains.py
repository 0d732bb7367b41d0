"""What the domains' classes know."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pyspark.sql import DataFrame

from etl.transform.outcome import Transformed
from tests.unit.transform.conftest import MakeFrame, file_table, outcomes, transform


def apply(df: DataFrame, transformer: str, **options: Any) -> Transformed:
    return transform(file_table(transform={"trim": False, "transformer": transformer, "options": options}), df)


def at(minute: int, second: int = 0) -> dt.datetime:
    return dt.datetime(2026, 1, 1, 12, minute, second)


def test_sessions_have_a_length_and_may_be_a_bounce(frame: MakeFrame) -> None:
    df = frame(
        "id int, session_start timestamp, session_end timestamp, page_views int",
        (1, at(0), at(2, 30), 5),
        (2, at(0), None, 1),
        (3, at(5), at(4), 2),
        (4, at(0), at(0), None),
    )
    result = apply(df, "SessionMetrics")
    good = sorted((row["id"], row["duration_seconds"], row["is_bounce"]) for row in result.good.collect())
    assert good == [(1, 150, False), (2, None, True), (4, 0, None)]
    assert outcomes(result)[2] == (3, "rejected", "session:ends_before_start")


def test_sessions_without_pages_have_no_bounce(frame: MakeFrame) -> None:
    df = frame("id int, session_start timestamp, session_end timestamp", (1, at(0), at(1)))
    assert apply(df, "SessionMetrics", page_views=None).good.columns[3:] == ["duration_seconds"]


@pytest.mark.parametrize(
    ("given", "name", "group"),
    [
        ("page_view", "page_view", "reading"),
        (" Page View ", "page_view", "reading"),
        ("pageView", "page_view", "reading"),
        ("page--view", "page_view", "reading"),
        ("pageview", "page_view", "reading"),
        ("Subscribe", "subscribe", "other"),
        (None, None, None),
    ],
)
def test_events_get_one_name(frame: MakeFrame, given: str | None, name: str | None, group: str | None) -> None:
    df = frame("id int, event_type string", (1, given))
    result = apply(df, "EventNormalization", synonyms={"pageview": "page_view"}, groups={"reading": ["page_view"]})
    assert result.good.collect() == [(1, name, group)]


@pytest.mark.parametrize(
    ("value", "band"),
    [
        (0.0, "low"),
        (0.29, "low"),
        (0.3, "medium"),
        (0.6, "high"),
        (1.0, "very_high"),
        (1.01, None),
        (-0.1, None),
        (float("nan"), None),
        (None, None),
    ],
)
def test_predictions_fall_into_bands(frame: MakeFrame, value: float | None, band: str | None) -> None:
    df = frame("id int, score double", (1, value))
    assert apply(df, "PredictionBands", column="score", into="band").good.first()["band"] == band


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Die Bahn – „Wir waren naiv“", "die-bahn-wir-waren-naiv"),
        ("L’Assemblée nationale: ce qui va changer", "l-assemblee-nationale-ce-qui-va-changer"),
        ("Größe & Œuvre", "grosse-oeuvre"),
        ("İstanbul'da ödülle döndü", "istanbul-da-odulle-dondu"),
        ("人工智能：五个关键问题", "人工智能-五个关键问题"),
        ("البنك المركزي", "البنك-المركزي"),
        ("  2026 in 5 charts!  ", "2026-in-5-charts"),
        ("???", "article-7"),
        ("word " * 40, "-".join(["word"] * 24)),
        ("x" * 200, "x" * 120),
    ],
)
def test_slugs_in_any_script(frame: MakeFrame, title: str, slug: str) -> None:
    df = frame("article_id int, title string", (7, title))
    table = file_table(
        key=("article_id",),
        transform={"transformer": "ArticleText", "options": {"body": None, "word_count": None}},
    )
    assert transform(table, df).good.first()["slug"] == slug


@pytest.mark.parametrize(
    ("word_count", "body", "minutes"),
    [(230, None, 1), (231, None, 2), (None, "word " * 461, 3), (None, "字" * 401, 2), (0, "", 0), (None, None, None)],
)
def test_reading_time(frame: MakeFrame, word_count: int | None, body: str | None, minutes: int | None) -> None:
    df = frame("id int, word_count int, body string", (1, word_count, body))
    assert apply(df, "ArticleText", title=None).good.first()["reading_minutes"] == minutes


def test_consent_is_granted_withdrawn_or_denied(frame: MakeFrame) -> None:
    df = frame(
        "id int, is_granted boolean, granted_at timestamp, withdrawn_at timestamp",
        (1, True, at(0), None),
        (2, True, at(0), at(1)),
        (3, False, None, None),
        (4, True, at(1), at(0)),
    )
    result = apply(df, "ConsentState")
    states = sorted((row["id"], row["consent_state"]) for row in result.good.collect())
    assert states == [(1, "granted"), (2, "withdrawn"), (3, "denied")]
    assert outcomes(result)[3] == (4, "rejected", "consent:withdrawn_before_grant")


def test_a_due_date_lasts_until_the_end_of_its_day(frame: MakeFrame) -> None:
    start, day = dt.datetime(2026, 1, 1), dt.date(2026, 1, 2)
    df = frame(
        "id int, opened timestamp, closed timestamp, due date",
        (1, start, dt.datetime(2026, 1, 2, 23, 59, 59, 999999), day),
        (2, start, dt.datetime(2026, 1, 3), day),
        (3, start, None, day),
    )
    rows = apply(df, "Deadline", opened="opened", closed="closed", due="due").good.collect()
    facts = sorted((row["id"], row["hours_taken"], row["is_late"]) for row in rows)
    assert facts == [(1, 48.0, False), (2, 48.0, True), (3, None, None)]


def test_a_deadline_may_be_an_instant(frame: MakeFrame) -> None:
    df = frame("id int, opened timestamp, closed timestamp, due timestamp", (1, at(0), at(30), at(20)))
    (row,) = apply(df, "Deadline", opened="opened", closed="closed", due="due").good.collect()
    assert (row["hours_taken"], row["is_late"]) == (0.5, True)
