"""Jobs and runs written by hand, for what commands say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg2.extras import Json

from tests.databases import Execute

CYCLE = "2026-11-26T02:00:00Z"
DUE = "2026-11-26 02:00:00+00"


@dataclass(frozen=True)
class Night:
    """Writes rows as the queue's own statements do."""

    execute: Execute

    def job(self, slug: str, parents: Sequence[str] = (), tags: Sequence[str] = (), **columns: Any) -> int:
        layer = slug.partition("_")[0]
        given = {
            "layer": layer,
            "kind": "command",
            "command": {"argv": ["etl", "run"]},
            "concurrency_key": slug,
            **columns,
        }
        job_id = self._insert("dw_etl_jobs", "job_id", slug=slug, **given)
        for parent in parents:
            self.execute(
                "INSERT INTO dw_etl_job_dependencies SELECT job_id, %s FROM dw_etl_jobs WHERE slug = %s",
                (job_id, parent),
            )
        for tag in tags:
            self.execute("INSERT INTO dw_etl_job_tags VALUES (%s, %s)", (job_id, tag))
        return job_id

    def run(self, slug: str, status: str = "queued", parents: Sequence[int] = (), **columns: Any) -> int:
        """`parents`: the runs that it waits for."""
        is_begun = status in ("running", "success", "failed")
        times = {"started_at": "2026-11-26 02:00:05+00"} if is_begun else {}
        if status not in ("queued", "running"):
            times["ended_at"] = "2026-11-26 02:03:05+00"
        work = {"fencing_token": 1, "worker_id": "host-1", "attempts": 1} if is_begun else {}
        reason = {"reason": "its parent was not run"} if status == "skipped" else {}
        given = {"trigger": "schedule", "cycle_id": CYCLE, "scheduled_at": DUE, "parameter_fingerprint": "f0"}
        ((job_id, key),) = self.execute("SELECT job_id, concurrency_key FROM dw_etl_jobs WHERE slug = %s", (slug,))
        of_job = {"job_id": job_id, "status": status, "concurrency_key": key}
        merged = {**given, **of_job, **times, **work, **reason, **columns}
        merged.setdefault("correlation_id", f"{slug}@{merged['cycle_id']}")
        run_id = self._insert("dw_etl_runs", "run_id", **merged)
        for parent in parents:
            self.execute("INSERT INTO dw_etl_run_dependencies VALUES (%s, %s)", (run_id, parent))
        return run_id

    def lock(self, run_id: int, seconds: float = 30, **columns: Any) -> int:
        """The active one of an attempt."""
        ((job_id, key),) = self.execute("SELECT job_id, concurrency_key FROM dw_etl_runs WHERE run_id = %s", (run_id,))
        given = {"concurrency_key": key, "worker_id": "host-1", "attempt": 1, **columns}
        token = self._insert(
            "dw_etl_job_locks", "fencing_token", job_id=job_id, run_id=run_id, expires_at="infinity", **given
        )
        self.execute(
            "UPDATE dw_etl_job_locks SET expires_at = clock_timestamp() + make_interval(secs => %s) "
            "WHERE fencing_token = %s",
            (seconds, token),
        )
        return token

    def event(self, run_id: int, event_type: str, attempt: int | None = None, **details: Any) -> None:
        self._insert(
            "dw_etl_run_events", "event_id", run_id=run_id, event_type=event_type, attempt=attempt, details=details
        )

    def output(self, run_id: int, text: str, attempt: int = 1, piece: int = 0, stream: str = "stdout") -> None:
        self._insert(
            "dw_etl_run_output", "piece", run_id=run_id, attempt=attempt, piece=piece, stream=stream, text=text
        )

    def process(self, worker_id: str = "host-1", kind: str = "worker", slots: int = 4, silent: float = 0) -> None:
        self.execute(
            "INSERT INTO dw_etl_processes (worker_id, kind, host, process_id, slots, heartbeat_at) "
            "VALUES (%s, %s, 'host', 1, %s, clock_timestamp() - make_interval(secs => %s))",
            (worker_id, kind, slots, silent),
        )

    def _insert(self, table: str, key: str, **columns: Any) -> int:
        values = {name: Json(value) if isinstance(value, Mapping) else value for name, value in columns.items()}
        names, places = ", ".join(values), ", ".join(f"%({name})s" for name in values)
        ((made,),) = self.execute(f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING {key}", values)
        return int(made)


BRONZE = [f"bronze_source_table_{n:02d}" for n in range(24)]
SILVER = [f"silver_store_of_{n:02d}" for n in range(28)]
GOLD = [f"gold_daily_figures_{n:02d}" for n in range(20)]
FAILED = BRONZE[5]


def seventy_two(night: Night) -> dict[str, int]:
    """24 bronze, 28 silver, 20 gold jobs and a night in the midst of its work; the runs by their jobs."""
    states = {slug: _state_of_bronze(n) for n, slug in enumerate(BRONZE)}
    for slug in BRONZE:
        night.job(slug)
    runs = {slug: night.run(slug, states[slug], **_columns_of_bronze(states[slug])) for slug in BRONZE}
    for slug, parents in [*_parents_of_silver(), *_parents_of_gold()]:
        night.job(slug, parents)
        states[slug] = _state_of_child(slug, {states[parent] for parent in parents})
        because = {"because_run_id": runs[FAILED]} if states[slug] == "skipped" else {}
        rows = {"records_written": 1000 * len(runs)} if states[slug] == "success" else {}
        runs[slug] = night.run(slug, states[slug], [runs[parent] for parent in parents], **because, **rows)
    for slug, run_id in runs.items():
        if states[slug] == "running":
            night.lock(run_id)
    return runs


def _parents_of_silver() -> list[tuple[str, list[str]]]:
    """A table, for each third another, for each fifth the job before it."""
    found = []
    for n, slug in enumerate(SILVER):
        others = {BRONZE[n * 7 % 24]} if n % 3 == 0 else set()
        before = {SILVER[n - 1]} if n % 5 == 4 else set()
        found.append((slug, sorted({BRONZE[n % 24]} | others | before)))
    return found


def _parents_of_gold() -> list[tuple[str, list[str]]]:
    return [(slug, [SILVER[n], SILVER[n + 8]]) for n, slug in enumerate(GOLD)]


def _state_of_bronze(n: int) -> str:
    return "failed" if BRONZE[n] == FAILED else "running" if n in (20, 21) else "queued" if n > 21 else "success"


def _columns_of_bronze(state: str) -> dict[str, Any]:
    failure = {"error_class": "StoreError", "error_type": "exception", "error_message": "column amount is missing"}
    return failure if state == "failed" else {"ready_at": DUE} if state == "queued" else {}


def _state_of_child(slug: str, of_parents: set[str]) -> str:
    if of_parents & {"failed", "skipped"}:
        return "skipped"
    if of_parents != {"success"}:
        return "queued"
    return "running" if slug in (SILVER[10], SILVER[11]) else "success"
