"""What is to be told, in a table of the tool that has to tell it: claimed for a moment, told outside any transaction,
then marked. The tables have the same columns, and the statements are one file's: sql/postgresql/alerts."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, Protocol

from etl.config.alerts import AlertKind
from etl.statements.named import POSTGRESQL_DIRECTORY, named_statements

LEASE_SECONDS = 120.0
"""Whoever claimed an alert and died with it: another tries after so long. A send takes less."""

GIVE_UP_AFTER_SECONDS = 24 * 3600.0
"""Older ones are not tried again."""


MESSAGE_OF_RUN = "concat_ws(' ', run_id, kind)"
"""Of the loading tools: what a run found of a kind is one message."""


class Outbox(Protocol):
    """Where the alerts are; it knows `outbox_statements` of its table by their names."""

    def at_once(self, name: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The statement as one transaction; the rows that it returns."""


@dataclass(frozen=True)
class Alert:
    alert_id: int
    run_id: Any
    """Of the tool's own kind; None where it is of no run."""
    kind: AlertKind
    channel: str
    attempts: int
    """This one included."""
    subject: str
    body: str
    created_at: datetime
    age_seconds: float
    facts: Mapping[str, Any]


@cache
def outbox_statements(table: str, message: str) -> Mapping[str, str]:
    """By name; `message` is SQL over the table's columns: alerts of which it is the same go out as one message."""
    named = named_statements(POSTGRESQL_DIRECTORY / "alerts")
    return {name: text.replace("{alerts}", table).replace("{message}", message) for name, text in named.items()}


class CursorOutbox:
    """In a tool's database: `opened` gives a cursor whose rows are dicts, in a transaction that it names."""

    def __init__(self, table: str, opened: Callable[[str], AbstractContextManager[Any]]) -> None:
        self._statements = outbox_statements(table, MESSAGE_OF_RUN)
        self._opened = opened

    def at_once(self, name: str, values: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        with self._opened(name) as cursor:
            cursor.execute(self._statements[name], values or {})
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []


def stands(outbox: Outbox) -> bool:
    """Whether its table is there: the tool's first run makes it."""
    return bool(outbox.at_once("outbox_exists")[0]["is_there"])


def claim_alerts(outbox: Outbox, channel: str) -> list[Alert]:
    """The channel's next message: those that are due and no repetition; repetitions are put aside on the way."""
    values = {"channel": channel, "lease_seconds": LEASE_SECONDS}
    while rows := outbox.at_once("claim_alerts", values):
        if alerts := [_alert(row) for row in rows if row["status"] == "pending"]:
            return sorted(alerts, key=lambda alert: alert.alert_id)
    return []


def _alert(row: Mapping[str, Any]) -> Alert:
    known = {name: value for name, value in row.items() if name != "status"}
    return Alert(**{**known, "kind": AlertKind(row["kind"])})


def word_alerts(outbox: Outbox, alerts: Sequence[Alert], subject: str, body: str) -> None:
    outbox.at_once("word_alerts", {"alert_ids": _ids(alerts), "subject": subject, "body": body})


def mark_sent(outbox: Outbox, alerts: Sequence[Alert]) -> None:
    outbox.at_once("alerts_sent", {"alert_ids": _ids(alerts)})


def mark_not_sent(outbox: Outbox, alerts: Sequence[Alert], error: str, wait_seconds: float | None) -> None:
    """Without a wait they are given up."""
    outbox.at_once("alerts_not_sent", {"alert_ids": _ids(alerts), "error": error, "wait_seconds": wait_seconds})


def give_up_old(outbox: Outbox) -> list[dict[str, Any]]:
    """Those that were given up now: they had been tried, or waited for a channel, for a day."""
    return outbox.at_once("give_up_old_alerts", {"seconds": GIVE_UP_AFTER_SECONDS})


def _ids(alerts: Sequence[Alert]) -> list[int]:
    return [alert.alert_id for alert in alerts]
