"""python -m bench main | night | staging | uploader | orchestrator | page: measures, on servers of its own."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pyspark.sql import SparkSession

from bench.extraction import measure_extraction
from bench.large import measure_large
from bench.machine import describe_machine
from bench.measure import Results
from bench.night import Plan as NightPlan
from bench.night import measure_night
from bench.orchestrator import SCENARIOS, USUAL, measure_orchestrator
from bench.orchestrator import Plan as QueuePlan
from bench.page import measure_page
from bench.peers.environment import OF_THE_NIGHT, prepare_environment
from bench.printing import print_results, write_json
from bench.races import Course, race_clickhouse, race_postgresql, race_s3
from bench.servers import embedded_servers, read_settings
from bench.small import measure_small
from bench.staging import measure_staging
from bench.start import measure_first_read, measure_start
from bench.together import fill_source, measure_together
from bench.uploader import CONTENDERS, Plan, measure_uploader
from etl.config.settings import Settings
from etl.spark.session import build_session, configure_s3

RACES = {"postgresql": race_postgresql, "clickhouse": race_clickhouse, "s3": race_s3}
STAGING_ROWS, STAGING_LARGE_ROWS = 500_000, 5_800_000
"""At most so many records, of which the promises of the staging loader speak."""
SECTIONS = ("start", *RACES, "extraction", "together", "small", "large")


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    machine, results = describe_machine(), Results()
    try:
        if options.suite == "uploader":
            _measure_uploader(options, machine, results)
        elif options.suite == "orchestrator":
            _measure_orchestrator(options, machine, results)
        elif options.suite == "night":
            _measure_night(options, machine, results)
        elif options.suite == "page":
            _measure_page(results)
        else:
            _measure_with_all_servers(options, results)
    finally:
        # also what was measured before somebody lost patience
        print_results(machine, results)
        if options.json:
            write_json(options.json, machine, results)
    return 0


def _measure_with_all_servers(options: argparse.Namespace, results: Results) -> None:
    with embedded_servers() as variables:
        settings = read_settings(variables)
        if options.suite == "staging":
            _measure_staging(options, settings, results)
        else:
            _measure(options, settings, variables, results)


def _measure(options: argparse.Namespace, settings: Settings, variables: dict[str, str], results: Results) -> None:
    if "start" in options.only:
        _add(results, measure_start(options.rounds, _say))
        _add(results, measure_first_read(settings, variables, options.rounds, _say))
    spark = build_session("ownlens-etl-bench")
    assert settings.s3 is not None
    configure_s3(spark, settings.s3)
    _race(options, spark, settings, results)
    if "extraction" in options.only:
        _add(results, measure_extraction(spark, settings, variables, options.rows, options.rounds, _say))
    if "together" in options.only:
        _add(results, measure_together(spark, settings, variables, options.rows, options.rounds, _say))
    if "small" in options.only:
        _add(results, measure_small(spark, settings, options.small_loads, _say))
    if "large" in options.only:
        fill_source(spark, settings, options.large_rows, _say)
    spark.stop()
    if "large" in options.only:
        _add(results, measure_large(settings, variables, options.large_rows, _say))


def _measure_staging(options: argparse.Namespace, settings: Settings, results: Results) -> None:
    assert settings.postgresql is not None
    with tempfile.TemporaryDirectory(prefix="ownlens-etl-bench-") as folder:
        rows = min(options.rows, STAGING_ROWS)
        large = min(options.large_rows, STAGING_LARGE_ROWS) if "large" in options.only else 0
        _add(results, measure_staging(settings.postgresql, Path(folder), rows, large, options.rounds, _say))


def _measure_uploader(options: argparse.Namespace, machine: dict[str, str], results: Results) -> None:
    peers = prepare_environment(_say)
    machine["peers"] = ", ".join(f"{name} {version}" for name, version in peers.versions().items())
    with (
        embedded_servers("postgresql") as variables,
        tempfile.TemporaryDirectory(prefix="ownlens-etl-bench-") as folder,
    ):
        plan = Plan(options.rows, options.rounds, options.contenders)
        measure_uploader(variables["ETL_POSTGRES_URL"], peers, Path(folder), plan, results, _say)


def _measure_night(options: argparse.Namespace, machine: dict[str, str], results: Results) -> None:
    peers = prepare_environment(_say, OF_THE_NIGHT, "bench-night-peers")
    machine["peers"] = f"dlt {peers.packages()['dlt']}"
    with embedded_servers() as variables:
        measure_night(variables, peers, NightPlan(options.rounds, options.naive), results, _say)


def _measure_orchestrator(options: argparse.Namespace, machine: dict[str, str], results: Results) -> None:
    with embedded_servers("postgresql") as variables:
        plan = QueuePlan(options.runs, options.rounds)
        dsn = variables["ETL_POSTGRES_URL"]
        measure_orchestrator(dsn, options.scenarios, plan, results, _say, machine)


def _measure_page(results: Results) -> None:
    with embedded_servers("postgresql") as variables, tempfile.TemporaryDirectory() as folder:
        measure_page(variables["ETL_POSTGRES_URL"], Path(folder) / "page", results, _say)


def _race(options: argparse.Namespace, spark: SparkSession, settings: Settings, results: Results) -> None:
    wanted = [race for name, race in RACES.items() if name in options.only]
    if not wanted:
        return
    course = Course.of(spark, settings, options.rows, options.rounds, _say)
    for race in wanted:
        _add(results, race(course))
    course.rows.frame.unpersist()


def _add(results: Results, more: Results) -> None:
    results.timings += more.timings
    results.ratios += more.ratios


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures the product; asserts no time.")
    parser.add_argument(
        "suite", choices=["main", "night", "staging", "uploader", "orchestrator", "page"], help="what to measure"
    )
    parser.add_argument("--rows", type=int, default=2_000_000, help="of each race (2,000,000)")
    parser.add_argument("--rounds", type=int, default=3, help="times each contender takes its turn (3)")
    parser.add_argument("--only", type=_sections, default=SECTIONS, help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--small-loads", type=int, default=20, help="loads of each small table (20)")
    parser.add_argument(
        "--large-rows", type=int, default=10_000_000, help="of the run with a small driver (10,000,000)"
    )
    parser.add_argument(
        "--contenders", type=_contenders, default=CONTENDERS, help=f"of the uploader's: some of {','.join(CONTENDERS)}"
    )
    parser.add_argument(
        "--scenarios", type=_scenarios, default=USUAL, help=f"of the orchestrator's: some of {','.join(SCENARIOS)}"
    )
    parser.add_argument(
        "--naive",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="of the night: also one table and store after the other by Spark's own writers, once",
    )
    parser.add_argument("--runs", type=int, default=10_000, help="of the orchestrator's queue (10,000)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results as JSON")
    return parser


def _sections(text: str) -> tuple[str, ...]:
    return _some_of(SECTIONS, text)


def _contenders(text: str) -> tuple[str, ...]:
    return _some_of(CONTENDERS, text)


def _scenarios(text: str) -> tuple[str, ...]:
    return _some_of(tuple(SCENARIOS), text)


def _some_of(known: Sequence[str], text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"expected some of {', '.join(known)}, found {', '.join(unknown)}")
    return names


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
