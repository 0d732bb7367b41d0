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


def seventy_two(night: Night) -> dict[str, int]:
    """24 bronze, 28 silver, 20 gold jobs and a night in the midst of its work; the runs by their jobs."""
    runs: dict[str, int] = {}
    for i in range(24):
        night.job(f"bronze_source_table_{i:02d}")
    for i in range(28):
        parents = [
            f"bronze_source_table_{i % 24:02d}",
            *([f"bronze_source_table_{(i * 7) % 24:02d}"] if i % 3 == 0 else []),
        ]
        more = [f"silver_store_of_{i - 1:02d}"] if i % 5 == 4 else []
        night.job(f"silver_store_of_{i:02d}", sorted({*parents, *more}))
    for i in range(20):
        night.job(f"gold_daily_figures_{i:02d}", [f"silver_store_of_{i:02d}", f"silver_store_of_{i + 8:02d}"])
    for i in range(24):
        status = "failed" if i == 5 else "running" if i in (20, 21) else "queued" if i > 21 else "success"
        failure = {"error_class": "StoreError", "error_type": "exception", "error_message": "column amount is missing"}
        ready = {"ready_at": DUE} if status == "queued" else {}
        slug = f"bronze_source_table_{i:02d}"
        runs[slug] = night.run(slug, status, **(failure if status == "failed" else ready))
    for i in range(28):
        slug = f"silver_store_of_{i:02d}"
        parents = [
            name
            for (name,) in night.execute(
                "SELECT parents.slug FROM dw_etl_job_dependencies AS edges JOIN dw_etl_jobs AS children "
                "ON children.job_id = edges.child_job_id JOIN dw_etl_jobs AS parents "
                "ON parents.job_id = edges.parent_job_id WHERE children.slug = %s",
                (slug,),
            )
        ]
        states = {
            night.execute("SELECT status FROM dw_etl_runs WHERE run_id = %s", (runs[each],))[0][0] for each in parents
        }
        because = {"because_run_id": runs["bronze_source_table_05"]}
        if states & {"failed", "skipped"}:
            status, more = "skipped", because
        elif states == {"success"}:
            status, more = ("running", {}) if i in (10, 11) else ("success", {"records_written": 1000 * i})
        else:
            status, more = "queued", {}
        runs[slug] = night.run(slug, status, [runs[each] for each in parents], **more)
    for i in range(20):
        slug = f"gold_daily_figures_{i:02d}"
        parents = [f"silver_store_of_{i:02d}", f"silver_store_of_{i + 8:02d}"]
        states = {
            night.execute("SELECT status FROM dw_etl_runs WHERE run_id = %s", (runs[each],))[0][0] for each in parents
        }
        because = {"because_run_id": runs["bronze_source_table_05"]}
        status = "skipped" if states & {"failed", "skipped"} else "success" if states == {"success"} else "queued"
        runs[slug] = night.run(
            slug, status, [runs[each] for each in parents], **(because if status == "skipped" else {})
        )
    for run_id in runs.values():
        if night.execute("SELECT status FROM dw_etl_runs WHERE run_id = %s", (run_id,)) == [("running",)]:
            night.lock(run_id)
    return runs
