"""A shop whose source changes from one run to the next, and what its stores must hold then."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from etl.project import PROJECT_DIR
from etl.s3.store import ObjectStore, StoreAddress
from etl.statements.clickhouse.names import staging_prefix
from tests.conftest import RunningStack
from tests.integration.pipeline.conftest import Stores, execute
from tests.patience import until

COLUMNS = {"item": "id, word, n", "child": "id, item", "note": "id, word"}
FORMATS = {"item": "delta", "child": "delta", "note": "parquet"}
ENTRIES = {
    "item": "kind: snapshot, transform: {rules: {positive: n >= 0}}",
    "child": "kind: snapshot",
    "note": "kind: reference",
}
TABLES = """
    CREATE TABLE item (id int PRIMARY KEY, word text, n int NOT NULL, created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE TABLE child (id int PRIMARY KEY, item int REFERENCES item, created_at timestamptz NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT clock_timestamp());
    CREATE TABLE note (id int PRIMARY KEY, word text);
    INSERT INTO item SELECT i, 'first', i % 50 - 1, timestamptz '2026-01-01' + i % 4 * interval '1 day'
        FROM generate_series(1, 200) i;
    INSERT INTO note SELECT i, 'first' FROM generate_series(1, 60) i;
"""
CHANGE = """
    UPDATE item SET word = 'change {number}', updated_at = clock_timestamp() WHERE id % 9 = {number} % 9;
    INSERT INTO item SELECT i, 'new', i % 5 - 1, timestamptz '2026-01-05', clock_timestamp()
        FROM generate_series(1000 + 10 * {number}, 1009 + 10 * {number}) i;
    INSERT INTO child SELECT i, i, timestamptz '2026-01-05', clock_timestamp()
        FROM generate_series(1000 + 10 * {number}, 1009 + 10 * {number}) i;
    UPDATE item SET n = 7, updated_at = clock_timestamp() WHERE id = 1000 + 10 * ({number} - 1);
    UPDATE note SET word = 'change {number}' WHERE id % 3 = {number} % 3;
    DELETE FROM note WHERE id = {number} % 30; INSERT INTO note VALUES (1000 + {number}, 'new');
"""
"""Each: rows that change, come and go; items that a rule rejects, whose children wait for them in PostgreSQL; and one
of those of the change before that is good now."""

_TOKEN = "ETL_TEST_KILLED_JOB"
_STAGED = "SELECT count(*) FROM pg_tables WHERE schemaname = 'etl_staging'"
_LEFT_RUNNING = "SELECT (SELECT count(*) FROM etl.runs WHERE status = 'running') + (SELECT count(*) FROM etl.leases)"

Content = dict[str, dict[str, list[tuple[Any, ...]]]]
"""Table → store → rows."""


@dataclass
class World:
    stores: Stores
    stack: RunningStack
    folder: Path
    changes: Iterator[int] = field(default_factory=lambda: count(1))

    def begin(self) -> None:
        self.stores.shop.source(TABLES)
        self.stores.configure(ENTRIES)
        self.require_success(self.stores.run())

    def change(self) -> None:
        self.stores.shop.source(CHANGE.format(number=next(self.changes)))

    def wanted(self) -> Content:
        """What the source says, by the rules of the shop."""
        items = self._source("SELECT id, word, n FROM item WHERE n >= 0")
        children = self._source("SELECT id, item FROM child")
        notes = self._source("SELECT id, word FROM note")
        known = {item[0] for item in items}
        everywhere = {"item": items, "child": children, "note": notes}
        content = {table: dict.fromkeys(("clickhouse", "s3", "postgresql"), rows) for table, rows in everywhere.items()}
        content["child"]["postgresql"] = [child for child in children if child[1] in known]
        return content

    def found(self) -> Content:
        return {table: self.stores.rows(table, columns, FORMATS[table]) for table, columns in COLUMNS.items()}

    def killed(self, at: str, destinations: str) -> tuple[bool, list[str]]:
        """Whether the run was killed at that write, and the writes that it came to."""
        log = self.folder / "writes.log"
        log.unlink(missing_ok=True)
        arguments = ["--load-destinations", destinations, "--config-dir", str(self.stores.shop.folder)]
        command = [sys.executable, "-m", "tests.faults.killed_job", str(log), at, "--", *arguments]
        environment = {**os.environ, **self.stores.shop.environ, _TOKEN: str(log)}
        with (self.folder / "killed.log").open("ab") as said:
            ended = subprocess.run(command, cwd=PROJECT_DIR, env=environment, stdout=said, stderr=said, check=False)
        assert ended.returncode in (0, -9), (self.folder / "killed.log").read_text()[-3_000:]
        until(lambda: not list(_processes_of(str(log))))
        return ended.returncode == -9, log.read_text().splitlines() if log.exists() else []

    def let_a_minute_go_by(self) -> None:
        """After which a run without a heartbeat is known to be dead, and its leases have ended."""
        for statement in (
            "UPDATE etl.runs SET heartbeat_at = heartbeat_at - interval '2 minutes'",
            "UPDATE etl.leases SET expires_at = expires_at - interval '2 minutes'",
        ):
            self.stores.shop.target(statement)

    def resume(self) -> None:
        """What the dead run left, if it had begun at all."""
        latest = "SELECT run_id FROM etl.runs WHERE status = 'running' ORDER BY run_number DESC LIMIT 1"
        for (run_id,) in self.stores.shop.target(latest):
            self.require_success(self.stores.shop.run("--resume", run_id))

    def require_one_or_the_other(self, before: Content, after: Content) -> None:
        """A reader sees each table of each store as it was, or as it is to be."""
        for table, stores in self.found().items():
            for store, rows in stores.items():
                assert rows in (before[table][store], after[table][store]), (table, store, rows)

    def require_whole(self) -> None:
        """All rows, none twice, nothing left over."""
        assert self.found() == self.wanted()
        assert self.stores.shop.target(_STAGED) == [(0,)]
        assert self.stores.shop.target(_LEFT_RUNNING) == [(0,)]
        assert self._staged_in_clickhouse() == []
        assert self._pending_uploads() == []

    def require_success(self, run: tuple[int, dict[str, Any]]) -> dict[str, Any]:
        exit_code, report = run
        assert (exit_code, report["status"]) == (0, "success"), report
        for load in report["loads"]:
            told = ("inserted", "updated", "unchanged", "skipped", "rejected", "deduplicated")
            if load["status"] == "success":
                assert load["rows_read"] == sum(load[f"rows_{name}"] for name in told), load
        return report

    def require_nothing_new(self) -> None:
        report = self.require_success(self.stores.run())
        assert {load["status"] for load in report["loads"]} <= {"unchanged", "skipped"}, report

    def _source(self, statement: str) -> list[tuple[Any, ...]]:
        shop = self.stores.shop
        return sorted(execute(shop.environ["ETL_SOURCE_POSTGRES_URL"], f"SET search_path = {shop.name}; {statement}"))

    def _staged_in_clickhouse(self) -> list[str]:
        settings = self.stack.settings.clickhouse
        assert settings is not None
        prefixes = [staging_prefix(settings.database, f"{self.stores.shop.name}_{table}") for table in COLUMNS]
        names = [str(name) for (name,) in self.stores.clickhouse("SELECT name FROM system.tables")]
        return [name for name in names if name.startswith(tuple(prefixes))]

    def _pending_uploads(self) -> list[str]:
        settings = self.stack.settings.s3
        assert settings is not None
        store = ObjectStore(StoreAddress.of(settings))
        return [upload.key for upload in store.pending_uploads(f"data-lake/{self.stores.shop.name}/")]


def _processes_of(token: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.environ().get(_TOKEN) == token:
                yield process
        except psutil.Error:
            continue
