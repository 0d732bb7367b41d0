from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from etl.alerts.outbox import Alert
from etl.alerts.wording import SHOWN_CAUSES, SHOWN_PLACES, words_of
from etl.config.alerts import AlertKind

NOW = datetime(2026, 11, 27, tzinfo=UTC)


def alert(
    table: str | None, destination: str | None = None, kind: AlertKind = AlertKind.FAILURE, **facts: Any
) -> Alert:
    told = {
        "table": table, "destination": destination, "source": None, "suppressed": 0,
        "expected": "the load to be a success", "found": "StoreError: no disk", "next_step": "resume it",
    }  # fmt: skip
    return Alert(1, "run-1", kind, "ops", 1, "", "", NOW, 0.0, {**told, **facts})


def test_the_text_of_one_load() -> None:
    assert words_of("main job")([alert("orders", "s3", suppressed=3)]) == (
        "failed: orders → s3",
        "Tool:     main job\n"
        "Run:      run-1\n"
        "\n"
        "orders → s3\n"
        "Expected: the load to be a success\n"
        "Found:    StoreError: no disk\n"
        "Next:     resume it\n"
        "\n"
        "Before:   3 more of the same since the last such message, not sent",
    )


def test_what_has_one_cause_is_said_once() -> None:
    alerts = [alert(table, store) for table in ("orders", "users") for store in ("postgresql", "s3")]
    subject, body = words_of("main job")([*alerts, alert("dates", "s3", found="ValidationError: 3 rows are gone")])
    assert subject == "failed: 5 loads of 3 tables"
    assert body.count("no disk") == 1
    assert "\norders → postgresql, s3\nusers → postgresql, s3\nExpected:" in body
    assert "\ndates → s3\nExpected:" in body


def test_a_message_stays_short_whatever_fails() -> None:
    _, body = words_of("main job")([alert(f"t{i}", "s3") for i in range(79)])
    assert f"and {79 - SHOWN_PLACES} tables more" in body
    subject, body = words_of("main job")([alert(f"t{i}", "s3", found=f"{i} " + "x" * 9000) for i in range(79)])
    assert subject == "failed: 79 tables"
    assert f"and {79 - SHOWN_CAUSES} causes more" in body
    assert len(body) < 25_000


def test_what_recovered_is_named_with_what_it_was() -> None:
    facts = {"was": "rejects", "run_id": "run-0"}
    subject, body = words_of("staging loader")(
        [alert("stg_a", kind=AlertKind.RECOVERED, source="a", **facts), alert(None, kind=AlertKind.RECOVERED, **facts)]
    )
    assert subject == "recovered: 2 tables"
    assert "a → stg_a\nthe run\nWas:      many rows rejected (run run-0)" in body


def test_no_text_has_a_secret() -> None:
    _, body = words_of("uploader", ("correct horse",))([alert("a", found="no user with correct horse")])
    assert "correct horse" not in body
