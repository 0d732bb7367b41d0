"""Tells of what a run found: written into the outbox first, then sent, so that a channel that is dead today is told
later. Nothing of it ever fails a load."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
import structlog

from etl.alerts.findings import Finding, Place, Verdict
from etl.alerts.outbox import Alert, Outbox, give_up_old
from etl.alerts.wording import words_of
from etl.config.alerts import AlertKind, AlertSettings, Tool
from etl.errors import EtlError
from etl.redaction import redact_value

PATIENCE_SECONDS = 30.0
"""A run waits no longer for its channels. What they have not taken by then is sent by the next run, or a check."""

TOOLS: Mapping[Tool, str] = {"main": "main job", "staging": "staging loader", "uploader": "uploader"}

log = structlog.get_logger(__name__)


class Teller:
    """Of one tool. Where no rule can be of it, nothing is written or asked."""

    def __init__(self, tool: Tool, settings: AlertSettings, secrets: Iterable[str] = ()) -> None:
        self._tool = tool
        self._settings = settings
        self._secrets = (*secrets, *settings.secrets)
        self._words = words_of(TOOLS[tool], self._secrets)

    @property
    def is_wanted(self) -> bool:
        return bool(self._settings.rules_of(self._tool))

    def tell(self, outbox: Outbox, verdict: Verdict, run_id: str | None) -> None:
        """Writes it down, and sends whatever waits, also from before. What cannot be written is told at once."""
        if not self.is_wanted:
            return
        try:
            self._write(outbox, verdict, run_id)
        except EtlError as error:
            log.warning("alerts not written down", error=error.message)
            self.tell_at_once(verdict.found, run_id)
            return
        try:
            self.deliver(outbox)
        except EtlError as error:
            log.warning("alerts not looked for", error=error.message)

    def tell_at_once(self, found: Sequence[Finding], run_id: str | None = None) -> None:
        """Without an outbox, for the ledger is away or the run has not come to it: each time, and not again where a
        channel does not take it."""
        messages: dict[tuple[str, AlertKind], list[Alert]] = defaultdict(list)
        for each in found:
            facts = {**self._facts(each), "suppressed": 0}
            for channel, _ in self._rules_for(each.kind, each.place):
                alert = Alert(0, run_id, each.kind, channel, 1, "", "", datetime.now(UTC), 0.0, facts)
                messages[channel, each.kind].append(alert)
        if not messages:
            return
        from etl.alerts.channels import Channels  # apprise takes its time, and most runs have nothing to tell

        sending = Channels(self._settings.urls)

        def send(alerts: Sequence[Alert]) -> None:
            channel = alerts[0].channel
            try:
                sending.send(channel, *self._words(alerts))
            except EtlError as error:
                log.error("alert not sent", channel=channel, error=error.message)

        until = time.monotonic() + PATIENCE_SECONDS
        _side_by_side([partial(send, alerts) for alerts in messages.values()], until)

    def deliver(self, outbox: Outbox) -> None:
        for alert in give_up_old(outbox):
            log.error("alert given up", **alert)
        waiting = {row["channel"] for row in outbox.at_once("pending_channels")}
        channels = {name: url for name, url in self._settings.urls.items() if name in waiting}
        if not channels:
            return
        from etl.alerts.channels import Channels
        from etl.alerts.couriers import Courier

        sending, until = Channels(channels), time.monotonic() + PATIENCE_SECONDS
        couriers = [Courier(outbox, sending, name, self._words) for name in channels]
        _side_by_side([partial(courier.again, until) for courier in couriers], until)

    def _write(self, outbox: Outbox, verdict: Verdict, run_id: str | None) -> None:
        found = [
            {
                **_placed(finding.kind, finding.place, channel),
                "kind": finding.kind,
                "dedupe_seconds": dedupe_seconds,
                "facts": self._facts(finding),
            }
            for finding in verdict.found
            for channel, dedupe_seconds in self._rules_for(finding.kind, finding.place)
        ]
        fine = [
            _placed(kind, place, channel)
            for kind, place in verdict.fine
            for channel, _ in self._rules_for(AlertKind.RECOVERED, place)
        ]
        if found or fine:
            values = {"run_id": run_id, "found": _json(found), "fine": _json(fine)}
            outbox.at_once("write_alerts", values)

    def _rules_for(self, kind: AlertKind, place: Place) -> Iterator[tuple[str, float]]:
        """Each channel that is to be told once, with the shortest `dedupe` of its rules."""
        dedupe: dict[str, float] = {}
        for rule in self._settings.rules_of(self._tool):
            if rule.fits(self._tool, kind, place.table, place.destination):
                dedupe[rule.channel] = min(rule.dedupe, dedupe.get(rule.channel, rule.dedupe))
        yield from dedupe.items()

    def _facts(self, finding: Finding) -> dict[str, Any]:
        texts = {"expected": finding.expected, "found": finding.found, "next_step": finding.next_step}
        return {**asdict(finding.place), **redact_value(texts, frozenset(self._secrets))}


def _placed(kind: AlertKind, place: Place, channel: str) -> dict[str, Any]:
    return {
        "channel": channel,
        "table_name": place.table,
        "destination": place.destination,
        "cause": "/".join([kind, place.source or "", place.destination or "", place.table or ""]),
    }


def _json(values: list[dict[str, Any]]) -> str:
    return orjson.dumps(values).decode()


def _side_by_side(works: Iterable[Callable[[], object]], until: float) -> None:
    """In threads that hold up nobody; whoever is not done by then is left."""
    threads = [threading.Thread(target=work, name="telling", daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
