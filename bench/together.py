"""The main job into three stores at once, from one extraction, against three separate runs of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter

from pyspark.sql import SparkSession

from bench import stores
from bench.events import KEY, events
from bench.measure import Ratio, Results, Timing
from bench.servers import SOURCE_SCHEMA, SOURCE_TABLE, configuration
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.registry import known_destinations
from etl.config.settings import PostgreSQLSettings, Settings
from etl.load.base import LoaderConfig, LoadFacts
from etl.load.postgresql.loader import PostgreSQLLoader
from etl.model import Destination, WriteMode
from etl.pipeline.job import main as run_main_job

SECTION = "main job"
TOGETHER = "three stores at once"
_ALONE = {destination: f"{destination} alone" for destination in known_destinations()}
_Lot = tuple[str, tuple[Destination, ...]]


def measure_together(
    spark: SparkSession,
    settings: Settings,
    variables: dict[str, str],
    rows: int,
    rounds: int,
    say: Callable[[str], None],
) -> Results:
    """Fresh targets each time; the session is warm for all, so that only the work counts."""
    lots: list[_Lot] = [(TOGETHER, tuple(known_destinations())), *((name, (one,)) for one, name in _ALONE.items())]
    seconds: dict[str, list[float]] = {case: [] for case, _ in lots}
    for number in range(rounds + 1):
        if number < 2:  # once for the warm-up, once for all rounds
            fill_source(spark, settings, rows if number else min(rows, 20_000), say)
        for turn, (case, destinations) in enumerate(lots):
            elapsed = _run(settings, variables, f"bench_{number}_{turn}", destinations)
            if number:
                seconds[case].append(elapsed)
                say(f"{SECTION}, round {number}: {case}: {elapsed:.2f} s, {rows / elapsed:,.0f} rows/s")
    timings = [Timing(SECTION, case, rows, tuple(found)) for case, found in seconds.items()]
    separate = sum(median(seconds[case]) for case in _ALONE.values())
    ratio = Ratio(SECTION, "at once / sum of three", median(seconds[TOGETHER]) / separate, 0.7, is_upper_bound=True)
    return Results(timings, [ratio])


def fill_source(spark: SparkSession, settings: Settings, rows: int, say: Callable[[str], None]) -> None:
    """The events as a table of the source database, brought there by our own loader."""
    say(f"filling the source with {rows:,} rows ...")
    source = source_of(settings)
    stores.tell_postgresql(source, f"DROP SCHEMA IF EXISTS {SOURCE_SCHEMA} CASCADE")
    entry = PostgreSQLTableLoadConfig(
        table_name=SOURCE_TABLE,
        target_schema=SOURCE_SCHEMA,
        target_name=SOURCE_TABLE,
        key=(KEY,),
        mode=WriteMode.APPEND,
    )
    config = LoaderConfig(settings.model_copy(update={"postgresql": source}), "fill", 0, validate=False)
    PostgreSQLLoader(spark, config).load(events(spark, rows), entry, LoadFacts(rows))
    stores.tell_postgresql(source, f"VACUUM ANALYZE {SOURCE_SCHEMA}.{SOURCE_TABLE}")
    stores.tell_postgresql(source, "CHECKPOINT")


def source_of(settings: Settings) -> PostgreSQLSettings:
    assert settings.source is not None
    return settings.source


def _run(settings: Settings, variables: dict[str, str], table: str, destinations: tuple[Destination, ...]) -> float:
    with configuration(table) as folder, TemporaryDirectory(prefix="ownlens-bench-") as reports:
        report = Path(reports) / "report.json"
        names = ",".join(destination for destination in destinations)
        stores.tell_postgresql(source_of(settings), "CHECKPOINT")
        started = perf_counter()
        arguments = ["--load-destinations", names, "--config-dir", str(folder), "--log-format", "json"]
        exit_code = run_main_job([*arguments, "--report", str(report)], variables)
        elapsed = perf_counter() - started
        if exit_code:
            raise RuntimeError(f"the main job failed with exit code {exit_code}: {report.read_text()}")
    remove_targets(settings, table)
    return elapsed


def remove_targets(settings: Settings, table: str) -> None:
    """From all three stores, whichever have it."""
    stores.postgresql(settings).remove(table)
    stores.clickhouse(settings).remove(table)
    stores.remove_from_lake(settings, table)
