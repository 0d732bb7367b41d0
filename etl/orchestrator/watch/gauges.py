"""What stands in the database, as a scraper sees it: asked when it asks, and no more often than every few seconds."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from etl.errors import EtlError
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement

KEPT_SECONDS = 5.0
KEPT_TIMES_AS_LONG = 20.0
"""And for so many times as long as the asking took: a queue of a hundred thousand runs takes its time to count."""
ALIVE_SECONDS = 30.0
"""A process that was not heard of for so long is not counted as one."""
STATEMENT_TIMEOUT_SECONDS = 5.0

GAUGES: dict[str, tuple[str, tuple[str, ...]]] = {
    "queue_runs": ("Runs that wait: ready, for their next attempt, or for other runs or an enabled job.", ("state",)),
    "queue_seconds": ("How long the run that has been ready longest waits for a worker.", ()),
    "lock_wait_runs": ("Ready runs whose concurrency key another run holds.", ()),
    "lock_wait_seconds": ("How long the first of them waits.", ()),
    "running_runs": ("Runs under way.", ("layer",)),
    "active_locks": ("Concurrency keys that are held.", ()),
    "lock_held_seconds": ("How long a concurrency key is held.", ("etl_job", "concurrency_key")),
    "processes": ("Schedulers and workers that live.", ("kind",)),
    "heartbeat_age_seconds": ("Since when a scheduler or worker was not heard of.", ("kind", "worker")),
    "job_failing": ("1 where the last run of a job that ended well or badly failed.", ("etl_job", "layer")),
    "alerts": ("Alerts to be delivered, and those of the last day that were given up.", ("status",)),
    "alert_pending_seconds": ("How long the oldest alert is not delivered.", ()),
}

log = structlog.get_logger(__name__)


class DatabaseGauges(Collector):
    """Of several schedulers each shows the same. `orchestrator_database_up` is 0 where the database did not answer."""

    def __init__(self, database: OrchestratorDatabase, kept_seconds: float = KEPT_SECONDS) -> None:
        self._database = database
        self._kept_seconds = kept_seconds
        self._guard = threading.Lock()
        self._kept_until = float("-inf")
        self._families: list[GaugeMetricFamily] = []

    def collect(self) -> Iterable[GaugeMetricFamily]:
        with self._guard:
            began = time.monotonic()
            if began >= self._kept_until:
                self._families = list(self._asked())
                took = time.monotonic() - began
                is_kept = self._kept_seconds > 0
                self._kept_until = began + max(self._kept_seconds, took * KEPT_TIMES_AS_LONG) if is_kept else began
            return self._families

    def _asked(self) -> Iterator[GaugeMetricFamily]:
        try:
            rows = self._rows()
        except EtlError as error:
            log.warning("metrics not read", error=error.message)
            rows = None
        text = "1 where the orchestrator's database answers."
        yield GaugeMetricFamily("orchestrator_database_up", text, value=float(rows is not None))
        for name, (text, labels) in GAUGES.items() if rows is not None else ():
            family = GaugeMetricFamily(f"orchestrator_{name}", text, labels=labels)
            for found, values, value in rows or ():
                if found == name:
                    family.add_metric(values, value)
            yield family

    def _rows(self) -> list[tuple[str, list[str], float]]:
        limits = {"statement_timeout_seconds": STATEMENT_TIMEOUT_SECONDS}
        with self._database.transaction("read metrics", **limits) as cursor:
            cursor.execute(statement("metrics"), {"alive_seconds": ALIVE_SECONDS})
            return [(row["name"], row["labels"], row["value"]) for row in map(dict, cursor.fetchall())]
