"""What Airflow's DAG knows of the main job, held against the main job itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from etl.config.configuration import Configuration, load_configuration
from etl.pipeline.options import parse_options
from etl.pipeline.order import parents_of
from etl.project import DEFAULT_CONFIG_DIR, PROJECT_DIR

FOLDER = PROJECT_DIR / "jobs" / "airflow"
sys.path.append(str(FOLDER))  # as Airflow does with the folder of its DAGs

import ownlens_main_job as main_job  # noqa: E402

LOAD = {
    **dict.fromkeys(("rows_read", "rows_inserted", "rows_updated", "rows_unchanged", "rows_skipped"), 0),
    **dict.fromkeys(("rows_rejected", "rows_deduplicated", "rows_deleted", "rows_trimmed"), 0),
    **{"target": None, "mode": None, "seconds": 1.5, "vanished_rows": None, "files_read": None, "files_skipped": []},
    **{"notes": [], "held_as_text": {}, "error": None},
}


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return load_configuration(DEFAULT_CONFIG_DIR, {})


def domains_of(configuration: Configuration) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, table in configuration.tables.items():
        found.setdefault(table.domain, []).append(name)
    return found


def test_the_dag_has_the_domains_and_tables_of_the_configuration(configuration: Configuration) -> None:
    known = main_job.tables_by_domain(DEFAULT_CONFIG_DIR)
    assert known == domains_of(configuration)
    assert len(known) == 10


def test_a_file_may_name_its_domain_and_share_it(tmp_path: Path) -> None:
    (tmp_path / "tables").mkdir()
    entry = "{kind: reference, key: id, source: {type: file, format: csv, path: x.csv, columns: {id: bigint}}}"
    (tmp_path / "tables" / "a.yaml").write_text(f"domain: shop\ntables: {{one: {entry}}}\n")
    (tmp_path / "tables" / "b.yml").write_text(f"domain: shop\ntables: {{two: {entry}}}\n")
    (tmp_path / "tables" / "c.yaml").write_text(f"tables: {{three: {entry}}}\n")
    known = main_job.tables_by_domain(tmp_path)
    assert known == domains_of(load_configuration(tmp_path, {})) == {"shop": ["one", "two"], "c": ["three"]}


def test_domains_come_after_those_they_refer_to(configuration: Configuration) -> None:
    domains = {name: table.domain for name, table in configuration.tables.items()}
    waves = main_job.waves(dict.fromkeys(domains.values()))
    assert sorted(domain for wave in waves for domain in wave) == sorted(set(domains.values()))
    place = {domain: number for number, wave in enumerate(waves) for domain in wave}
    against = {
        (domains[name], domains[parent])
        for name in domains
        for parent in parents_of(name, configuration.definitions)
        if place[domains[parent]] >= place[domains[name]] and domains[parent] != domains[name]
    }
    assert against == {("base", "company")}, "these refer to each other"


def test_waves_hold_what_there_is() -> None:
    assert main_job.waves(["customer", "shop", "base"]) == [["base"], ["shop"], ["customer"]]


def request(folder: Path, key: str = "airflow/ownlens_etl/manual__2026-11-27T02:00:00+00:00/base/2") -> Any:
    return main_job.Request(key, "base", "s3,postgresql", Path("conf"), folder)


@pytest.mark.parametrize("tables", [[], ["countries", "cities"]])
def test_the_command_line_is_one_that_the_main_job_takes(tables: list[str], tmp_path: Path) -> None:
    asked = request(tmp_path)
    options = parse_options(asked.arguments(tables, 2, "2026-06-01T00:00:00Z", "2026-07-01"))
    assert [str(name) for name in options.destinations] == ["s3", "postgresql"]
    assert (options.tables, options.domains) == ((*tables,), () if tables else ("base",))
    assert (str(options.since), str(options.until)) == ("2026-06-01 00:00:00+00:00", "2026-07-01 00:00:00+00:00")
    assert (options.idempotency_key, options.config_dir) == (asked.key, Path("conf"))
    assert options.report == asked.report(2) != asked.report(1)
    plain = parse_options(asked.arguments(tables, 1))
    assert (plain.since, plain.until) == (None, None)


def test_each_request_has_reports_of_its_own(tmp_path: Path) -> None:
    assert request(tmp_path).report(1) == request(tmp_path).report(1)
    assert request(tmp_path, "another").report(1) != request(tmp_path).report(1)


def write(file: Path, run_id: str, status: str, *loads: dict[str, Any]) -> None:
    instants = dict.fromkeys(("started_at", "finished_at"), "2026-11-27T02:00:00.000Z")
    document = {
        "run_id": run_id,
        "status": status,
        **instants,
        "rejects": 0,
        "retries": 0,
        "loads": list(loads),
        "maintenance": [],
    }
    jsonschema.validate(document, json.loads((PROJECT_DIR / "docs" / "report.schema.json").read_text()))
    file.write_text(json.dumps(document))


def load(table: str, destination: str, status: str, **known: Any) -> dict[str, Any]:
    return {**LOAD, "table": table, "destination": destination, "status": status, **known}


def test_of_each_load_the_latest_try_counts(tmp_path: Path) -> None:
    first, killed, last = (request(tmp_path).report(attempt) for attempt in (1, 2, 3))
    into_s3 = load("cities", "s3", "success", rows_read=5, rows_inserted=5)
    write(first, "r1", "partial", into_s3, load("cities", "postgresql", "failed", error="cities: is a view"))
    write(last, "r2", "success", load("cities", "postgresql", "success", rows_read=5, rows_updated=5))
    summary = main_job.summary_of([first, killed, last])
    assert (summary["status"], summary["runs"]) == ("success", ["r1", "r2"])
    assert [(each["destination"], each["status"], "error" in each) for each in summary["loads"]] == [
        ("s3", "success", False),
        ("postgresql", "success", False),
    ]
    assert {name: count for name, count in summary["rows"].items() if count} == {
        "rows_read": 10,
        "rows_inserted": 5,
        "rows_updated": 5,
    }
    assert main_job.failure_in("base", summary) is None


def test_a_failure_names_tables_and_causes(tmp_path: Path) -> None:
    first, second = (request(tmp_path).report(attempt) for attempt in (1, 2))
    failed = load("cities", "postgresql", "failed", error="x" * 600)
    write(first, "r1", "partial", load("cities", "s3", "success"), failed)
    text = main_job.failure_in("base", main_job.summary_of([first]))
    assert text == f"base: 1 of 2 loads failed\n  cities into postgresql: {'x' * 500} …"
    killed = main_job.failure_in("base", main_job.summary_of([first, second]))
    assert killed == f"{text}\nbase: the last try ended before its run did; the log of base.load says why"


@pytest.mark.parametrize("attempts", [0, 1])
def test_no_report_is_a_failure(attempts: int, tmp_path: Path) -> None:
    summary = main_job.summary_of([request(tmp_path).report(1)][:attempts])
    assert (summary["status"], summary["loads"]) == ("no report", [])
    assert main_job.failure_in("base", summary) == (
        "base: the last try ended before its run did; the log of base.load says why"
    )


def test_a_run_that_broke_off_after_its_loads_is_a_failure(tmp_path: Path) -> None:
    file = request(tmp_path).report(1)
    write(file, "r1", "partial", load("cities", "s3", "success"))
    assert "ended before its run did" in (main_job.failure_in("base", main_job.summary_of([file])) or "")


HOOK = "Cannot execute: spark-submit --master local[*] run_etl.py. Error code is: {}.\nLast spark-submit output:\nalas"


def test_how_spark_submit_ended_is_read_from_what_the_hook_says() -> None:
    assert main_job.Ended.read(HOOK.format(2)) == main_job.Ended(2, "alas")
    assert main_job.Ended.read(HOOK.format(-9)) == main_job.Ended(-9, "alas")
    assert main_job.Ended.read("The conn_id `ownlens_spark` isn't defined") is None
    assert [main_job.Ended(code, "").is_bad_use for code in (1, 2, 75)] == [False, True, False]


def test_a_failed_try_is_explained_by_its_report_or_its_last_words(tmp_path: Path) -> None:
    first, second = (request(tmp_path).report(attempt) for attempt in (1, 2))
    write(first, "r1", "failed", load("cities", "s3", "failed", error="no bucket"))
    assert main_job.Ended(1, "…").explained("base", [first]) == (
        "base: 1 of 1 loads failed\n  cities into s3: no bucket\n(exit code 1)"
    )
    assert main_job.Ended(75, "is still alive").explained("base", [first, second]) == (
        "base: the last try ended before its run did (exit code 75); it said last:\nis still alive"
    )


def test_every_requirement_is_pinned() -> None:
    lines = (FOLDER / "requirements.txt").read_text().splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert {"apache-airflow==3.3.2", "apache-airflow-providers-apache-spark==6.3.4"} <= set(pins)
    assert [pin for pin in pins if "==" not in pin] == []
