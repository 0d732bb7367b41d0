"""Alerts of loads in words: one message says all of a kind that a run found, what is alike only once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from etl.alerts.findings import Place
from etl.alerts.outbox import Alert
from etl.config.alerts import AlertKind
from etl.redaction import redact

SHOWN_PLACES = 20
SHOWN_CAUSES = 10
LONGEST_TEXT = 2000

_TITLES = {
    AlertKind.FAILURE: "failed",
    AlertKind.ROWS_MISMATCH: "rows do not add up",
    AlertKind.REJECTS: "many rows rejected",
    AlertKind.SLOW: "slow",
    AlertKind.STALE_WATERMARK: "nothing newer",
    AlertKind.NOT_LOADED: "not loaded",
    AlertKind.RECOVERED: "recovered",
}


def words_of(tool: str, secrets: Iterable[str] = ()) -> Callable[[Sequence[Alert]], tuple[str, str]]:
    """Subject and body of a message; `tool` is its name for people."""
    known = tuple(secrets)

    def words(alerts: Sequence[Alert]) -> tuple[str, str]:
        subject, body = worded(tool, alerts)
        return redact(subject, known), redact(body, known)

    return words


def worded(tool: str, alerts: Sequence[Alert]) -> tuple[str, str]:
    """Of alerts of one kind and run."""
    kind, run_id = alerts[0].kind, alerts[0].run_id
    subject = f"{_TITLES[kind]}: {_subject([_place(alert.facts) for alert in alerts])}"
    lines = [f"Tool:     {tool}", *([f"Run:      {run_id}"] if run_id else [])]
    causes = _by_cause(alerts)
    for texts, places in list(causes.items())[:SHOWN_CAUSES]:
        lines += ["", _listed(places), *texts]
    if len(causes) > SHOWN_CAUSES:
        lines += ["", f"and {len(causes) - SHOWN_CAUSES} causes more"]
    if suppressed := sum(alert.facts["suppressed"] for alert in alerts):
        lines += ["", f"Before:   {suppressed} more of the same since the last such message, not sent"]
    return subject, "\n".join(lines)


def _subject(places: Sequence[Place]) -> str:
    if len(places) == 1:
        return str(places[0])
    tables = {place.table for place in places}
    if len(tables) == len(places):
        return f"{len(places)} tables"
    return f"{len(places)} loads of {len(tables)} {'table' if len(tables) == 1 else 'tables'}"


def _by_cause(alerts: Sequence[Alert]) -> dict[tuple[str, ...], list[Place]]:
    causes: dict[tuple[str, ...], list[Place]] = defaultdict(list)
    for alert in alerts:
        causes[tuple(_texts(alert))].append(_place(alert.facts))
    return dict(causes)


def _texts(alert: Alert) -> Iterator[str]:
    facts = alert.facts
    if alert.kind is AlertKind.RECOVERED:
        yield f"Was:      {_TITLES[AlertKind(facts['was'])]}" + (f" (run {facts['run_id']})" if facts["run_id"] else "")
        return
    yield f"Expected: {facts['expected']}"
    yield f"Found:    {_cut(facts['found'])}"
    yield f"Next:     {facts['next_step']}"


def _place(facts: Mapping[str, Any]) -> Place:
    return Place(facts["table"], facts["destination"], facts["source"])


def _listed(places: Sequence[Place]) -> str:
    """A table's destinations side by side."""
    by_table: dict[str, list[str]] = defaultdict(list)
    for place in places:
        by_table[str(replace(place, destination=None))] += [place.destination] if place.destination else []
    shown = [
        f"{table} → {', '.join(names)}" if names else table for table, names in list(by_table.items())[:SHOWN_PLACES]
    ]
    more = [f"and {len(by_table) - SHOWN_PLACES} tables more"] if len(by_table) > SHOWN_PLACES else []
    return "\n".join([*shown, *more])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]} …"
