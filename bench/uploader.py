"""The uploader, as the command a user types, against the peers: the same files, a fresh table each turn."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Collection, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from statistics import median

import psycopg2

from bench.commands import Finished, run_command
from bench.event_files import EventFiles, write_event_files
from bench.events import KEY, POSTGRESQL_TYPES
from bench.measure import Ratio, Results, Timing
from bench.peers.commands import DLT_SCHEMA, Peers, Upload
from bench.peers.environment import PeersEnvironment
from bench.upsert_sql import TEXT_TYPES, create_table
from etl.statements.quoting import postgresql_identifier as quoted

Say = Callable[[str], None]

SECTION = "uploader"
WARM_UP_ROWS = 5_000
CHUNK_SIZE, CONCURRENCY = 50_000, 4
MAXIMUM_MEGABYTES = 500

CSV, CSV_AGAIN = "CSV, TEXT, fresh", "CSV, TEXT, again"
CSV_MADE = "CSV, TEXT, table made"
TYPED, TYPED_AGAIN = "Parquet, typed, fresh", "Parquet, typed, again"
UPLOADER = "uploader"
CONTENDERS = (UPLOADER, "psql", "dlt", "sling", "adbc", "tuples")
TARGETS = (
    (CSV, "psql", 1.2),
    (CSV_MADE, "dlt", 1.7),
    (CSV_MADE, "sling", 4.5),
    (CSV_AGAIN, "psql", 2.5),
    (TYPED, "adbc", 1.2),
    (TYPED, "tuples", 2.0),
    (TYPED_AGAIN, "adbc", 1.7),
)


@dataclass(frozen=True)
class Contender:
    """`fresh` and `again` name its cases: into an empty table, and the same rows once more.

    Without `types` it makes its table itself.
    """

    name: str
    upload: Upload
    fresh: str
    again: str | None = None
    types: Mapping[str, str] | None = None
    schema: str = "public"


@dataclass
class Course:
    dsn: str
    say: Say
    seconds: dict[str, list[float]] = field(default_factory=dict)
    working_seconds: dict[str, list[float]] = field(default_factory=dict)
    peaks: dict[str, list[int]] = field(default_factory=dict)

    def take_turn(self, contender: Contender, files: EventFiles, *, is_timed: bool) -> None:
        table = f"events_{contender.name}"
        self._prepare(contender, table)
        for case in filter(None, (contender.fresh, contender.again)):
            self._tell("CHECKPOINT")
            finished = contender.upload(files, table)
            self._expect(contender.schema, table, files)
            if is_timed:
                self._record(f"{case}: {contender.name}", finished, files.rows)
        self._remove(contender, table)

    def _record(self, case: str, finished: Finished, rows: int) -> None:
        self.seconds.setdefault(case, []).append(finished.seconds)
        self.working_seconds.setdefault(case, []).append(finished.working_seconds)
        self.peaks.setdefault(case, []).append(finished.peak_bytes)
        rate, peak = rows / finished.seconds, finished.peak_bytes / 1e6
        took = f"{finished.seconds:.2f} s, {finished.working_seconds:.2f} s of them at work"
        self.say(f"{case}: {took}, {rate:,.0f} rows/s, peak {peak:,.0f} MB, load {os.getloadavg()[0]:.1f}")

    def _prepare(self, contender: Contender, table: str) -> None:
        self._remove(contender, table)
        if contender.types:
            self._tell(create_table(table, contender.types))

    def _remove(self, contender: Contender, table: str) -> None:
        self._tell(f"DROP TABLE IF EXISTS {quoted(contender.schema)}.{quoted(table)}")
        if contender.schema != "public":
            for schema in (contender.schema, f"{contender.schema}_staging"):
                self._tell(f"DROP SCHEMA IF EXISTS {quoted(schema)} CASCADE")

    def _expect(self, schema: str, table: str, files: EventFiles) -> None:
        """All rows and their amounts; a turn that loaded anything else is void."""
        statement = f"SELECT count(*), count(DISTINCT {quoted(KEY)}), sum(amount::numeric)"
        found = self._tell(f"{statement} FROM {quoted(schema)}.{quoted(table)}")
        expected = (files.rows, files.rows, files.total)
        if found != expected:
            raise RuntimeError(f"{schema}.{table}: expected rows, keys and total {expected}, found {found}")

    def _tell(self, statement: str) -> tuple[int | Decimal, ...] | None:
        with closing(psycopg2.connect(self.dsn)) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            cursor.execute(statement)
            return cursor.fetchone() if cursor.description else None


@dataclass(frozen=True)
class Plan:
    """`names` are some of CONTENDERS."""

    rows: int
    rounds: int
    names: Collection[str]


def measure_uploader(
    dsn: str, environment: PeersEnvironment, folder: Path, plan: Plan, results: Results, say: Say
) -> None:
    """Contenders take turns (A B A B …); the first, with a few rows, is not timed: programs and caches are warm."""
    contenders = [each for each in _contenders(dsn, Peers(environment, dsn)) if each.name in plan.names]
    course = Course(dsn, say)
    say(f"writing {plan.rows:,} rows as CSV and Parquet ...")
    warm_up, files = (write_event_files(folder, rows) for rows in (min(plan.rows, WARM_UP_ROWS), plan.rows))
    try:
        for number, each in enumerate([warm_up] + [files] * plan.rounds):
            for contender in contenders:
                course.take_turn(contender, each, is_timed=number > 0)
    finally:
        _conclude(course, plan.rows, results)


def _contenders(dsn: str, peers: Peers) -> list[Contender]:
    ours = _Ours(dsn)
    return [
        Contender(UPLOADER, ours.csv, CSV, CSV_AGAIN, TEXT_TYPES),
        Contender("psql", peers.psql, CSV, CSV_AGAIN, TEXT_TYPES),
        Contender(UPLOADER, ours.csv, CSV_MADE),
        Contender("dlt", peers.dlt, CSV_MADE, schema=DLT_SCHEMA),
        Contender("sling", peers.sling, CSV_MADE),
        Contender(UPLOADER, ours.parquet, TYPED, TYPED_AGAIN, POSTGRESQL_TYPES),
        Contender("adbc", peers.adbc, TYPED, TYPED_AGAIN, POSTGRESQL_TYPES),
        Contender("tuples", peers.tuples, TYPED, types=POSTGRESQL_TYPES),
    ]


@dataclass(frozen=True)
class _Ours:
    dsn: str

    def csv(self, files: EventFiles, table: str) -> Finished:
        return self._load(files.csv, table, files.rows)

    def parquet(self, files: EventFiles, table: str) -> Finished:
        return self._load(files.parquet, table, files.rows, "--preserve-types")

    def _load(self, file: Path, table: str, rows: int, *options: str) -> Finished:
        command = [sys.executable, "-m", "etl.ingestion", "load", "--files", str(file), "--table", table, "--pk", KEY]
        command += ["--headers", ",".join(POSTGRESQL_TYPES), "--mode", "upsert", "--json"]
        command += ["--chunk-size", str(CHUNK_SIZE), "--concurrency", str(CONCURRENCY), *options]
        finished = run_command(command, {**os.environ, "ETL_UPLOADER_DSN": self.dsn})
        report = json.loads(finished.output)
        # inserted into an empty table, unchanged in one that has them; an update would be a value read differently
        if {report["rows_read"], report["rows_inserted"] + report["rows_unchanged"]} != {rows}:
            raise RuntimeError(f"expected a report of {rows} rows inserted or unchanged, found {report}")
        return replace(finished, working_seconds=report["seconds"])


def _conclude(course: Course, rows: int, results: Results) -> None:
    results.timings += [Timing(SECTION, case, rows, tuple(seconds)) for case, seconds in course.seconds.items()]
    for case, peer, target in TARGETS:
        ours, theirs = f"{case}: {UPLOADER}", f"{case}: {peer}"
        if ours in course.seconds and theirs in course.seconds:
            what = f"{case}: {UPLOADER} / {peer}"
            for name, seconds, reach in (
                (what, course.seconds, target),
                (f"{what}, without starts", course.working_seconds, None),
            ):
                results.ratios.append(Ratio(SECTION, name, median(seconds[theirs]) / median(seconds[ours]), reach))
    for case, peaks in course.peaks.items():
        limit = MAXIMUM_MEGABYTES if case.endswith(UPLOADER) else None
        results.ratios.append(Ratio(SECTION, f"peak memory, MB: {case}", max(peaks) / 1e6, limit, is_upper_bound=True))
