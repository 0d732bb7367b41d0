"""Staging jobs: the good entry, and every fault beside it with file, line and nearest name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent, indent

import pytest
from pydantic import SecretStr

from etl.config.staging.jobs import StagingConfiguration, load_staging_configuration
from etl.config.staging.models import (
    CsvFiles,
    InstantFormat,
    JsonFiles,
    PostgreSQLQuery,
    StagingJob,
    StagingTimeouts,
    StandardInputSource,
)
from etl.errors import ConfigurationError, UsageError
from etl.project import DEFAULT_CONFIG_DIR
from tests.unit.config.conftest import Folder

DATABASE = {"ETL_STAGING_POSTGRES_URL": "postgresql://etl:hunter2@localhost/warehouse"}
GOOD = """\
jobs:
  events:
    target_table: stg_events
    source_id: id
    source:
      type: ndjson
      path: events.ndjson
"""


def load(folder: Folder, text: str = GOOD, environ: Mapping[str, str] | None = None) -> StagingConfiguration:
    folder.write("staging/jobs.yaml", text)
    return load_staging_configuration(folder.path, environ or {})


def faults(folder: Folder, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text, environ)
    return sorted(str(fault).replace(f"{folder.path}/", "") for fault in caught.value.faults)


def with_source(text: str) -> str:
    return GOOD.split("    source:\n")[0] + "    source:\n" + indent(dedent(text), "      ")


def with_lines(text: str) -> str:
    return GOOD + indent(dedent(text), "    ")


def test_what_a_short_entry_means(folder: Folder) -> None:
    job = load(folder).job("events")
    assert job == StagingJob(
        id="events",
        target_table="stg_events",
        source_id="id",
        source=JsonFiles(type="ndjson", path=(str(folder.path / "events.ndjson"),)),
    )
    assert (job.batch_size, job.workers, job.skip_unchanged, job.maximum_invalid) == (1000, 2, True, None)
    assert (job.gin_index, job.maximum_record_bytes, job.timeouts) == (False, 1 << 24, StagingTimeouts())


def test_what_a_long_entry_means(folder: Folder) -> None:
    job = load(
        folder,
        with_lines(
            """\
            description: Events
            source_updated_at: meta.at
            source_updated_at_format: epoch_milliseconds
            required: [kind, reader.id]
            batch_size: 500
            workers: 8
            skip_unchanged: false
            gin_index: true
            maximum_record_bytes: 2048
            timeouts: {statement: 5, lock: 0.5, connect: 3, pool: 2}
            """
        ),
    ).job("events")
    assert (job.description, job.source_updated_at) == ("Events", "meta.at")
    assert job.source_updated_at_format is InstantFormat.EPOCH_MILLISECONDS
    assert job.required == ("kind", "reader.id")
    assert (job.batch_size, job.workers, job.skip_unchanged, job.gin_index) == (500, 8, False, True)
    assert (job.maximum_record_bytes, job.timeouts) == (
        2048,
        StagingTimeouts(statement=5, lock=0.5, connect=3, pool=2),
    )


def test_each_kind_of_source(folder: Folder) -> None:
    def source(text: str, environ: Mapping[str, str] | None = None) -> object:
        return load(folder, with_source(text), environ).job("events").source

    assert source("type: json_array\npath: [a.json, /b/*.json]\n") == JsonFiles(
        type="json_array", path=(str(folder.path / "a.json"), "/b/*.json")
    )
    assert source("type: csv\npath: a.csv\ndelimiter: ';'\n") == CsvFiles(
        type="csv", path=(str(folder.path / "a.csv"),), delimiter=";"
    )
    assert source("type: query\nquery: 'SELECT 1 AS id;'\n") == PostgreSQLQuery(type="query", query="SELECT 1 AS id")
    url = "postgresql://reader:hunter2@db.example.com/shop"
    assert source('type: query\nquery: SELECT 1\nurl: "${SHOP}"\n', {"SHOP": url}) == PostgreSQLQuery(
        type="query", query="SELECT 1", url=SecretStr(url)
    )
    assert source("type: stdin\nformat: csv\n") == StandardInputSource(type="stdin", format="csv")


@pytest.mark.parametrize(
    "query", ["SELECT 1", "  with x as (select 1) table x", "-- why\nSELECT 1", "/* a */ (select 1)"]
)
def test_a_query_may_begin_in_several_ways(query: str) -> None:
    assert PostgreSQLQuery(type="query", query=query).query == query.strip()


@pytest.mark.parametrize(("written", "expected"), [("0", "0"), ("100", "100"), ("5%", "5%"), ("0.5 %", "0.5%")])
def test_the_tolerance_is_a_count_or_a_share(folder: Folder, written: str, expected: str) -> None:
    job = load(folder, with_lines(f"maximum_invalid: {written}\n")).job("events")
    assert (job.maximum_invalid, job.maximum_rejected) == (expected, "50%")


def test_a_job_in_the_ledger_holds_no_secret(folder: Folder) -> None:
    text = with_source('type: query\nquery: SELECT 1\nurl: "${SHOP}"\n')
    job = load(folder, text, {"SHOP": "postgresql://reader:hunter2@db.example.com/shop"}).job("events")
    assert "hunter2" not in str(job.model_dump(mode="json"))


# name: (lines of the entry, from line 8 on, line, message)
BAD_LINES = {
    "unknown key": ("batchsize: 500", 8, "job events: unknown key 'batchsize'; did you mean 'batch_size'?"),
    "unknown timeout": (
        "timeouts: {statment: 5}",
        8,
        "job events: unknown key 'statment' in timeouts; did you mean 'statement'?",
    ),
    "unknown format of instants": (
        "source_updated_at_format: epoch_second",
        8,
        "job events: source_updated_at_format: unknown value 'epoch_second'; did you mean 'epoch_seconds'?",
    ),
    "batch size out of range": (
        "batch_size: 99",
        8,
        "job events: batch_size: should be greater than or equal to 100; found 99",
    ),
    "no workers": ("workers: 0", 8, "job events: workers: should be greater than or equal to 1; found 0"),
    "a quoted boolean": ("gin_index: 'yes'", 8, "job events: gin_index: should be a valid boolean; found 'yes'"),
    "updates that cannot be hot": (
        "gin_index: true\nhot_updates: true",
        9,
        "job events: hot_updates: expected no gin_index beside it, which every update of `data` has to touch",
    ),
    "tolerance": (
        "maximum_invalid: 120%",
        8,
        "job events: maximum_invalid: expected a number of rows or a share, such as 100 or 5%, found '120%'",
    ),
    "shape that is no schema": ("shape: {type: strin}", 8, None),
    "an id of its own": ("id: other", 8, "job events: the id is the entry's name; leave `id` out"),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_is_told_with_its_place(folder: Folder, name: str) -> None:
    lines, line, message = BAD_LINES[name]
    (fault,) = faults(folder, with_lines(lines))
    assert fault.startswith(f"staging/jobs.yaml:{line}: ")
    if message:
        assert fault == f"staging/jobs.yaml:{line}: {message}"


BAD_SOURCES = {
    "unknown type": ("type: njson\npath: a", 6, "source.type: unknown value 'njson'; did you mean 'ndjson'?"),
    "no type": ("path: a", 5, "source: key 'type' is missing"),
    "no path": ("type: csv", 5, "source: key 'path' is missing"),
    "no paths": ("type: csv\npath: []", 7, None),
    "unknown key": (
        "type: csv\npath: a\ndelimeter: ;",
        8,
        "unknown key 'delimeter' in source; did you mean 'delimiter'?",
    ),
    "long delimiter": ("type: csv\npath: a\ndelimiter: ';;'", 8, None),
    "parquet through a pipe": ("type: stdin\nformat: parquet", 7, None),
    "no query": (
        "type: query\nquery: DELETE FROM a",
        7,
        "source.query: expected a query that begins with SELECT or WITH",
    ),
    "password in the file": (
        "type: query\nquery: SELECT 1\nurl: postgresql://a:b@localhost/c",
        8,
        "source.url holds a password; it must come from the environment: ${NAME}",
    ),
    "bad url": ("type: query\nquery: SELECT 1\nurl: mysql://localhost/c", 8, "source.url: the URL must begin with"),
}


@pytest.mark.parametrize("name", BAD_SOURCES)
def test_a_bad_source_is_told_with_its_place(folder: Folder, name: str) -> None:
    lines, line, message = BAD_SOURCES[name]
    (fault,) = faults(folder, with_source(lines))
    assert fault.startswith(f"staging/jobs.yaml:{line}: job events: {message or 'source'}")


@pytest.mark.parametrize("name", ["events", "stg_", "stg_Events", "stg_e; DROP", "stg_" + "e" * 60])
def test_a_target_table_is_a_plain_name_of_staging(folder: Folder, name: str) -> None:
    (fault,) = faults(folder, GOOD.replace("stg_events", f"'{name}'"))
    assert fault.startswith("staging/jobs.yaml:3: job events: target_table: expected stg_ and lower-case letters")


def test_all_faults_of_all_files_come_at_once(folder: Folder) -> None:
    folder.write("staging/more.yaml", GOOD.replace("events:", "more:").replace("stg_events", "events"))
    folder.write("etl.yaml", "staging: {schema: No-Schema}\n")
    text = GOOD.replace("source_id", "sourceid") + "  a.b: {}\nextra: 1\n"
    assert faults(folder, text, {"ETL_BATCH_SIZE": "50"}) == [
        "environment: ETL_BATCH_SIZE: expected 100 to 10,000 records a batch, found 50",
        "etl.yaml:1: staging.schema: expected lower-case letters, digits and _, and no more than 63 of them",
        "staging/jobs.yaml:2: job events: key 'source_id' is missing",
        "staging/jobs.yaml:4: job events: unknown key 'sourceid'; did you mean 'source_id'?",
        "staging/jobs.yaml:8: job id 'a.b': expected letters, digits, `_` and `-`, 80 at most",
        "staging/jobs.yaml:9: unknown key 'extra'; valid: jobs",
        "staging/more.yaml:3: job more: target_table: expected stg_ and lower-case letters, digits and _ "
        "(63 characters at most); found 'events'",
    ]


def test_one_id_is_one_job(folder: Folder) -> None:
    folder.write("staging/again.yaml", GOOD)
    (fault,) = faults(folder, GOOD)
    assert fault.startswith("staging/jobs.yaml:2: job 'events' is already given in ")
    assert fault.endswith("again.yaml:2")


def test_the_nearest_batch_size_wins(folder: Folder) -> None:
    text = with_lines("batch_size: 200\n")
    assert load(folder, text).job("events").batch_size == 200
    configured = load(folder, text, {"ETL_BATCH_SIZE": "300"})
    assert configured.job("events").batch_size == 300
    assert configured.job("events", batch_size=400).batch_size == 400


@pytest.mark.parametrize("written", ["99", "10001", "-1", "many", "1e3"])
def test_a_batch_size_from_outside_is_checked(folder: Folder, written: str) -> None:
    (fault,) = faults(folder, GOOD, {"ETL_BATCH_SIZE": written})
    assert fault.startswith("environment: ETL_BATCH_SIZE: expected")
    assert fault.endswith(f"found {written}") or fault.endswith(f"found '{written}'")


def test_what_the_command_line_says_is_checked(folder: Folder) -> None:
    configuration = load(folder)
    with pytest.raises(UsageError, match="--batch-size: expected 100 to 10,000 records a batch, found 99"):
        configuration.job("events", batch_size=99)
    with pytest.raises(UsageError, match="unknown job 'event'; did you mean 'events'"):
        configuration.job("event")
    job = configuration.job("events", workers=5, files=["/tmp/other.ndjson"])
    assert (job.workers, job.source) == (5, JsonFiles(type="ndjson", path=("/tmp/other.ndjson",)))


def test_files_are_for_jobs_of_files(folder: Folder) -> None:
    configuration = load(folder, with_source("type: stdin\n"))
    with pytest.raises(UsageError, match="job events reads stdin, not files"):
        configuration.job("events", files=["a"])


def test_the_database_is_the_nearest_that_is_named(folder: Folder) -> None:
    with pytest.raises(UsageError, match="no database to load into: set ETL_STAGING_POSTGRES_URL"):
        _ = load(folder).database
    assert load(folder, environ=DATABASE).database.database == "warehouse"
    other = {"ETL_POSTGRES_URL": "postgresql://etl:pw@localhost/other"}
    assert load(folder, environ=other).database.database == "other"
    assert load(folder, environ={**other, **DATABASE}).database.database == "warehouse"


def test_the_schema_may_be_all_that_etl_yaml_says(folder: Folder) -> None:
    folder.write("etl.yaml", "staging: {schema: lake}\n")
    configuration = load(folder, environ={"ETL_POSTGRES_URL": "postgresql://etl:pw@localhost/other"})
    assert (configuration.schema_name, configuration.database.database) == ("lake", "other")
    folder.write("etl.yaml", 'staging: {schema: lake, url: "${MINE}"}\n')
    configuration = load(folder, environ={"MINE": "postgresql://etl:pw@localhost/mine"})
    assert (configuration.schema_name, configuration.database.database) == ("lake", "mine")
    assert load(folder, environ={"MINE": "postgresql://a:b@localhost/c", **DATABASE}).schema_name == "lake"


def test_a_query_is_asked_of_the_source_or_its_own_server(folder: Folder) -> None:
    query = PostgreSQLQuery(type="query", query="SELECT 1")
    with pytest.raises(UsageError, match="no server to query"):
        load(folder).query_server(query)
    configuration = load(folder, environ={"ETL_SOURCE_POSTGRES_URL": "postgresql://a:b@localhost/shop"})
    assert configuration.query_server(query).database == "shop"
    own = query.model_copy(update={"url": SecretStr("postgresql://a:b@db.example.com/own")})
    assert configuration.query_server(own).sslmode == "verify-full"


def test_the_spool_is_where_the_environment_says(folder: Folder) -> None:
    assert load(folder).spool_dir == Path(".data/spool")
    assert load(folder, environ={"ETL_SPOOL_DIR": "/var/spool/etl"}).spool_dir == Path("/var/spool/etl")


def test_the_jobs_of_this_project_are_good() -> None:
    jobs = load_staging_configuration(DEFAULT_CONFIG_DIR, {}).jobs
    assert set(jobs) == {"audience_events", "newsletter_subscribers"}


def test_every_key_is_described() -> None:
    text = (DEFAULT_CONFIG_DIR.parent / "docs" / "staging.md").read_text(encoding="utf-8")
    models = (StagingJob, StagingTimeouts, JsonFiles, CsvFiles, PostgreSQLQuery, StandardInputSource)
    keys = {key for model in models for key in model.model_fields} - {"id"}
    assert {key for key in keys if f"`{key}`" not in text} == set()
