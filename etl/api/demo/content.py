"""What the demo loads: jobs as a media company has them, and records with the faults that real ones have."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

READERS = "reader_events"
LETTERS = "newsletter_subscribers"
INVOICES = "subscription_invoices"
FEEDS = 2000
HISTORY_RECORDS = 20_000
RECORDS = 240_000
HELD_A_WHILE = range(3_000, 3_020)
HELD_LONG = (range(60_000, 60_020), range(150_000, 150_020))
"""Ordinals of today's records whose rows a session holds until they are met, and for minutes."""

_JOBS = """\
jobs:
  reader_events:
    description: Page views, scrolls and video plays of site and apps
    target_table: stg_reader_events
    source: {type: ndjson, path: ../records/reader_events-*.ndjson}
    source_id: event_id
    source_updated_at: occurred_at
    required: [event_type, reader.id]
    shape:
      type: object
      properties:
        event_type: {enum: [page_view, scroll, video_play, share]}
        device: {enum: [phone, tablet, desktop]}
        seconds: {type: number, minimum: 0}
        reader: {type: object, properties: {id: {type: string}, is_subscriber: {type: boolean}}}
    batch_size: 120
    workers: 2
    retries: 3
    timeouts: {lock: 2}
  newsletter_subscribers:
    description: Who gets which newsletter
    target_table: stg_newsletter_subscribers
    source: {type: csv, path: ../records/newsletter_subscribers.csv}
    source_id: subscriber_id
    required: [email, status]
    shape: {type: object, properties: {status: {enum: [active, paused, unsubscribed]}}}
  subscription_invoices:
    description: Invoices of the shop; its export of this week is broken
    target_table: stg_subscription_invoices
    source: {type: ndjson, path: ../records/subscription_invoices.ndjson}
    source_id: invoice_id
    required: [subscriber_id, amount]
    shape: {type: object, properties: {amount: {type: number}, currency: {enum: [EUR, CHF, USD]}}}
    maximum_invalid: 5%
"""
_DESKS = ("politics", "economy", "sports", "culture", "science", "local", "opinion", "weekend")
_KINDS = ("articles", "comments", "pictures", "corrections", "live_blogs")
_TODAY = datetime(2026, 11, 26, 6, tzinfo=UTC)
_YESTERDAY = _TODAY - timedelta(days=1)


def write_jobs(conf: Path) -> None:
    """Three that are worth watching, and as many feeds as a house with a long history has."""
    (conf / "staging").mkdir(parents=True)
    (conf / "staging" / "demo.yaml").write_text(_JOBS, encoding="utf-8")
    feeds = "".join(map(_feed, range(FEEDS)))
    (conf / "staging" / "feeds.yaml").write_text(f"jobs:\n{feeds}", encoding="utf-8")


def _feed(number: int) -> str:
    desk, kind = _DESKS[number % len(_DESKS)], _KINDS[number // len(_DESKS) % len(_KINDS)]
    return (
        f"  {desk}_{kind}_{number // 40 + 1:03d}:\n"
        f"    description: {kind.replace('_', ' ').capitalize()} of the {desk} desk, feed {number // 40 + 1}\n"
        "    target_table: stg_feeds\n"
        "    source: {type: ndjson, path: ../records/feed.ndjson}\n"
        "    source_id: id\n"
    )


def write_history(records: Path) -> None:
    """What yesterday's runs read."""
    records.mkdir()
    chance = random.Random(1)  # noqa: S311 - the same records each time
    _write_lines(records / "reader_events-1.ndjson", (_event(n, _YESTERDAY, chance) for n in range(HISTORY_RECORDS)))
    # rows that today's load meets again
    held = (ordinal for held in (HELD_A_WHILE, *HELD_LONG) for ordinal in held)
    _write_lines(
        records / "reader_events-2.ndjson", (_plain_event(event_id_of(ordinal), _YESTERDAY, chance) for ordinal in held)
    )
    _write_lines(records / "feed.ndjson", ({"id": n, "title": f"Entry {n}"} for n in range(1000)))
    _write_lines(records / "subscription_invoices.ndjson", (_invoice(n, chance) for n in range(4000)))
    with (records / "newsletter_subscribers.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("subscriber_id", "email", "newsletter", "status"))
        for number in range(5000):
            status = chance.choices(("active", "paused", "unsubscribed", "bounced"), (80, 9, 10, 1))[0]
            writer.writerow((number, f"reader{number}@example.com", chance.choice(_DESKS), status))


def write_today(records: Path) -> None:
    """In place of yesterday's files."""
    chance = random.Random(2)  # noqa: S311 - likewise
    for old in records.glob("reader_events-*.ndjson"):
        old.unlink()
    events = (_event(HISTORY_RECORDS // 2 + n, _TODAY, chance) for n in range(RECORDS))
    _write_lines(records / "reader_events-1.ndjson", events)


def event_id_of(ordinal: int) -> str:
    """Of today's record with this ordinal."""
    return f"evt-{HISTORY_RECORDS // 2 + ordinal:08d}"


def _event(number: int, day: datetime, chance: random.Random) -> dict[str, Any]:
    """One in some hundreds has something wrong with it; one in some thousands no id."""
    event = _plain_event(f"evt-{number:08d}", day, chance)
    if number in _HELD_NUMBERS:
        return event
    fault = chance.random()
    if fault < 0.002:
        event["seconds"] = f"{event['seconds']} s"
    elif fault < 0.003:
        event["device"] = "fridge"
    elif fault < 0.004:
        del event["reader"]["id"]
    elif fault < 0.0043:
        del event["event_id"]
    return event


_HELD_NUMBERS = {HISTORY_RECORDS // 2 + ordinal for held in (HELD_A_WHILE, *HELD_LONG) for ordinal in held}


def _plain_event(event_id: str, day: datetime, chance: random.Random) -> dict[str, Any]:
    desk = chance.choice(_DESKS)
    return {
        "event_id": event_id,
        "event_type": chance.choices(("page_view", "scroll", "video_play", "share"), (60, 30, 8, 2))[0],
        "occurred_at": (day + timedelta(milliseconds=chance.randrange(86_400_000))).isoformat(),
        "path": f"/{desk}/{chance.randrange(9000) + 1000}",
        "device": chance.choices(("phone", "tablet", "desktop"), (70, 8, 22))[0],
        "seconds": round(chance.expovariate(1 / 40), 1),
        "reader": {"id": f"r{chance.randrange(60_000)}", "is_subscriber": chance.random() < 0.3},
    }


def _invoice(number: int, chance: random.Random) -> dict[str, Any]:
    invoice = {"invoice_id": f"inv-{number}", "subscriber_id": f"r{chance.randrange(60_000)}", "currency": "EUR"}
    amount = round(chance.uniform(3, 40), 2)
    return {**invoice, "amount": f"{amount} EUR" if chance.random() < 0.08 else amount}


def _write_lines(file: Path, records: Iterator[dict[str, Any]]) -> None:
    with file.open("wb") as lines:
        lines.writelines(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
