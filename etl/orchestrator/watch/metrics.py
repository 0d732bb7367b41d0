"""Prometheus metrics of a scheduler or worker: what it did itself. What stands in the database is in gauges.py."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

from etl.command.metrics import RunMetrics
from etl.orchestrator.values import Claim, Failure, RunStatus
from etl.orchestrator.watch.observers import Observer
from etl.retrying import RETRIES

JOB = ("etl_job", "layer")
"""`job` is what a scraper calls itself."""

UNSCHEDULED = ("manual-", "backfill-")

_DURATIONS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
_LATENESS = (0.1, 0.25, 0.5, 1, 1.5, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14400)
_ENDS = ("success", "failed", "cancelled", "queued")


class Metrics(RunMetrics, Observer):
    def __init__(self, kind: str, registry: CollectorRegistry | None = None) -> None:
        super().__init__(registry)
        self._kind = kind
        self.registry.register(RETRIES)
        self._duration = self._histogram(
            "run_duration_seconds", "Seconds from an attempt's claim to its end.", (*JOB, "status"), _DURATIONS
        )
        self._lateness = self._histogram(
            "lateness_seconds", "Seconds from a tick to its run's first start, by the database's clock.",
            ("layer",), _LATENESS,
        )  # fmt: skip
        self._queued = self._histogram(
            "queued_seconds", "Seconds that an attempt was ready before a worker claimed it.", ("layer",), _LATENESS
        )
        self._attempts = self._counter("attempts", "Attempts that ended; `queued` are tried again.", (*JOB, "status"))
        self._failures = self._counter(
            "failures", "Attempts that failed, by what failed and whether another may help.",
            (*JOB, "error_type", "error_class", "judged"),
        )  # fmt: skip
        self._retries = self._counter("retries", "Attempts that will be made again.", JOB)
        self._lost = self._counter("lost_attempts", "Runs taken from workers that were not heard of.", ("etl_job",))
        self._made = self._counter("ticks_made", "Runs that ticks made.")
        self._missed = self._counter("ticks_missed", "Runs that are skipped because their ticks were missed.")
        alert = ("channel", "kind")
        self._sent = self._counter("alerts_sent", "Alerts that their channels took.", alert)
        self._not_sent = self._counter("alert_failures", "Attempts to send an alert that failed.", alert)
        self._given_up = self._counter("alerts_given_up", "Alerts that will not be tried again.", alert)

    def pushed_as(self) -> tuple[str, dict[str, str]]:
        return f"orchestrator_{self._kind}", {}

    def attempt_began(self, claim: Claim) -> None:
        for how in _ENDS:
            self._attempts.labels(claim.slug, claim.layer, how)  # a series that stands at 0 can be alerted on
        self._retries.labels(claim.slug, claim.layer)
        if claim.queued_seconds is not None:
            self._queued.labels(claim.layer).observe(max(claim.queued_seconds, 0.0))
        if claim.attempt == 1 and not claim.cycle_id.startswith(UNSCHEDULED):
            late = (claim.started_at - claim.scheduled_at).total_seconds()
            self._lateness.labels(claim.layer).observe(max(late, 0.0))

    def attempt_ended(self, claim: Claim, how: str, seconds: float, failure: Failure | None) -> None:
        self._duration.labels(claim.slug, claim.layer, how).observe(seconds)
        self._attempts.labels(claim.slug, claim.layer, how).inc()
        if how == RunStatus.QUEUED:
            self._retries.labels(claim.slug, claim.layer).inc()
        if failure is not None and how in (RunStatus.FAILED, RunStatus.QUEUED):
            kind = (str(failure.error_type), failure.error_class, judged(failure))
            self._failures.labels(claim.slug, claim.layer, *kind).inc()

    def run_taken_away(self, slug: str, how: str) -> None:
        self._lost.labels(slug).inc()

    def ticks_seen(self, made: int, missed: int) -> None:
        self._made.inc(made)
        self._missed.inc(missed)

    def alert_sent(self, channel: str, kind: str) -> None:
        self._sent.labels(channel, kind).inc()

    def alert_not_sent(self, channel: str, kind: str, is_given_up: bool) -> None:
        self._not_sent.labels(channel, kind).inc()
        self._given_up.labels(channel, kind).inc(is_given_up)

    def _counter(self, name: str, text: str, labels: tuple[str, ...] = ()) -> Counter:
        return Counter(f"orchestrator_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(f"orchestrator_{name}", text, labels, buckets=buckets, registry=self.registry)


def judged(failure: Failure) -> str:
    return {True: "transient", False: "permanent", None: "unknown"}[failure.is_transient]
