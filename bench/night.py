"""A whole night: the sample's tables into three stores by the main job, by three runs of dlt, and by a naive script."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import naive, stores
from bench.commands import run_command
from bench.main_job import run_command_of_main_job
from bench.measure import Results, Timing
from bench.night_targets import Counts, Places, Targets, lake_formats, own_places, places_in
from bench.peers.environment import PeersEnvironment
from bench.servers import clickhouse_native_port
from etl.config.configuration import Configuration, load_configuration
from etl.model import ExtractMode
from etl.statements.quoting import postgresql_identifier

Say = Callable[[str], None]

SECTION = "night"
FROM_NOTHING, DAY_AFTER, NOTHING_NEW = STAGES = ("from nothing", "the day after", "nothing new")
MAIN_JOB, DLT, NAIVE = "main job", "dlt", "naive script"
FIRST_READ = "main job, to the first table read"
STORES = ("postgresql", "clickhouse", "s3")
WARM_UP_TABLE = "countries"
"""Small, and without parents."""
DLT_DATASET = "night_dlt"
DLT_WORKERS = {"LOAD__WORKERS": "8", "EXTRACT__WORKERS": "4", "NORMALIZE__WORKERS": "2"}
NOT_BY_DLT = frozenset({"configuration_system_settings"})
"""JSON scalars in a column that is NOT NULL: it puts them into columns of their own and NULL in theirs."""
_DLT_SCRIPT = Path(__file__).parent / "peers" / "dlt_night.py"


@dataclass(frozen=True)
class Plan:
    rounds: int
    has_naive: bool


@dataclass
class Course:
    """By case: the source's rows, and seconds, one a round."""

    configuration: Configuration
    targets: Targets
    say: Say
    rows: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def fill_source(self) -> None:
        self._sample("--recreate")

    def let_a_day_go_by(self) -> None:
        self._sample("--advance", "1")

    def warm_up(self) -> None:
        """One table by each: what is loaded from disk and compiled is, before the clock starts."""
        self._main_job("--tables", WARM_UP_TABLE)
        with TemporaryDirectory(prefix="bench-dlt-") as folder:
            for store in STORES:
                self._dlt(store, folder, {WARM_UP_TABLE: None})
        stores.clear_all(self.targets.settings)

    def main_job(self, stage: str) -> None:
        seconds, first_read_seconds = self._main_job()
        rows = self._expect(f"{stage}: {MAIN_JOB}", own_places(self.configuration))
        self._record(f"{stage}: {MAIN_JOB}", seconds, rows)
        self._record(f"{stage}: {FIRST_READ}", first_read_seconds, rows)

    def dlt(self, stage: str, folder: str) -> None:
        """A run for each store, one after the other, as it has one destination a pipeline."""
        tables = watermarks(self.configuration)
        seconds = {store: self._dlt(store, folder, tables) for store in STORES}
        rows = self._expect(f"{stage}: {DLT}", places_in(DLT_DATASET, dict.fromkeys(tables, "delta")))
        for store, each in seconds.items():
            self._record(f"{stage}: {DLT}, {store} alone", each, rows)
        self._record(f"{stage}: {DLT}", sum(seconds.values()), rows)

    def naive(self) -> None:
        seconds = self._run([sys.executable, "-m", "bench.naive"])
        places = places_in(naive.DATASET, lake_formats(self.configuration))
        self._record(f"{FROM_NOTHING}: {NAIVE}", seconds, self._expect(f"{FROM_NOTHING}: {NAIVE}", places))

    def _sample(self, *options: str) -> None:
        run_command([sys.executable, "-m", "etl.sample", *options], self._environment())

    def _main_job(self, *options: str) -> tuple[float, float]:
        self.targets.settle()
        run = run_command_of_main_job(self.targets.variables, *options)
        return run.seconds, run.first_read_seconds

    def _dlt(self, store: str, folder: str, tables: Mapping[str, str | None]) -> float:
        command = [str(self.targets.peers.python), str(_DLT_SCRIPT), store, folder, DLT_DATASET]
        return self._run([*command, json.dumps(tables)])

    def _run(self, command: list[str]) -> float:
        self.targets.settle()
        return run_command(command, self._environment()).seconds

    def _environment(self) -> dict[str, str]:
        of_dlt = {"BENCH_CLICKHOUSE_NATIVE_PORT": str(clickhouse_native_port()), "RUNTIME__DLTHUB_TELEMETRY": "false"}
        return {**os.environ, **self.targets.variables, **of_dlt, **DLT_WORKERS}

    def _expect(self, case: str, places: Places) -> int:
        """The source's rows, which must stand in each store, table by table: else the night is void."""
        expected = self.targets.source_counts({table: postgresql_identifier(table) for table in places})
        refuse_other_rows(case, expected, self.targets.counts(places))
        return sum(expected.values())

    def _record(self, case: str, seconds: float, rows: int) -> None:
        self.rows[case] = rows
        self.seconds.setdefault(case, []).append(seconds)
        self.say(f"{SECTION}, {case}: {seconds:.1f} s, load {os.getloadavg()[0]:.1f}")


def measure_night(
    variables: Mapping[str, str], peers: PeersEnvironment, plan: Plan, results: Results, say: Say
) -> None:
    """Contenders take turns in each stage of a round, over the same source, each into targets of its own."""
    configuration = load_configuration(environ=variables)
    course = Course(configuration, Targets(configuration.settings, variables, peers), say)
    course.fill_source()
    course.warm_up()
    try:
        for number in range(plan.rounds):
            _take_round(course, has_naive=plan.has_naive and number == 0)
    finally:
        conclude(course, results)


def _take_round(course: Course, *, has_naive: bool) -> None:
    stores.clear_all(course.targets.settings)
    course.fill_source()
    with TemporaryDirectory(prefix="bench-dlt-") as folder:
        for stage in STAGES:
            if stage == DAY_AFTER:
                course.let_a_day_go_by()
            course.main_job(stage)
            course.dlt(stage, folder)
            if has_naive and stage == FROM_NOTHING:
                course.naive()


def refuse_other_rows(case: str, expected: Mapping[str, int], counts: Counts) -> None:
    for store, found in counts.items():
        wrong = {table: (rows, found[table]) for table, rows in expected.items() if rows != found[table]}
        if wrong:
            raise RuntimeError(f"{case}: expected the source's rows in {store}, found other numbers: {wrong}")


def conclude(course: Course, results: Results) -> None:
    results.timings += [
        Timing(SECTION, case, course.rows[case], tuple(found)) for case, found in course.seconds.items()
    ]
    for stage in STAGES:
        for baseline in (DLT, NAIVE):
            if f"{stage}: {baseline}" in course.seconds:
                results.compare(SECTION, f"{stage}: {MAIN_JOB}", f"{stage}: {baseline}")


def watermarks(configuration: Configuration) -> dict[str, str | None]:
    """The same columns by which the main job knows what is new; None: a table that is read whole."""
    return {
        name: table.extract.watermark if table.extract.mode is ExtractMode.INCREMENTAL else None
        for name, table in configuration.tables.items()
        if name not in NOT_BY_DLT
    }
