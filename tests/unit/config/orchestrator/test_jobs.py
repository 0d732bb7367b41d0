"""Jobs of conf/jobs: what a good entry means, and every fault beside it with file, line and nearest name."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import dedent

import pytest

from etl.config.orchestrator.jobs import JobsConfiguration, load_jobs
from etl.config.orchestrator.models import BackoffConfig, JobConfig, ScheduleConfig
from etl.errors import ConfigurationError
from tests.unit.config.conftest import Folder

GOOD = """\
jobs:
  land:
    layer: bronze
    argv: [etl, run]
"""


def load(folder: Folder, text: str, environ: Mapping[str, str] | None = None) -> JobsConfiguration:
    folder.write("jobs/jobs.yaml", text)
    return load_jobs(folder.path, environ or {})


def job(folder: Folder, text: str) -> JobConfig:
    (found,) = load(folder, text).jobs.values()
    return found


def faults(folder: Folder, text: str) -> list[str]:
    """`file:line: message`; of one job of the layer bronze where the text has no `jobs`."""
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text)
    return [str(fault).replace(f"{folder.path}/", "") for fault in caught.value.faults]


def faults_of(folder: Folder, *lines: str) -> list[str]:
    """Of the job `land`, whose keys these lines are, the first in line 4."""
    text = "".join(f"    {line}\n" for line in lines)
    return faults(folder, f"jobs:\n  land:\n    layer: bronze\n{text}")


# --- what an entry means --------------------------------------------------------------------------------------------


def test_what_a_short_entry_means(folder: Folder) -> None:
    found = job(folder, GOOD)
    assert (found.slug, found.kind, found.command) == ("land", "command", {"argv": ["etl", "run"]})
    assert found.row == {
        "slug": "land",
        "title": "",
        "layer": "bronze",
        "kind": "command",
        "command": {"argv": ["etl", "run"]},
        "parameters": {},
        "parameters_schema": {},
        "priority": 0,
        "concurrency_key": "land",
        "when_held": "queue",
        "retries": 2,
        "backoff_seconds": 10,
        "backoff_limit_seconds": 300,
        "retry_for_seconds": None,
        "timeout_seconds": None,
        "grace_seconds": 10,
        "late_after_seconds": None,
        "stuck_after_seconds": None,
        "is_enabled": True,
        "source_file": "jobs/jobs.yaml",
    }
    assert (found.parents, found.tags, found.schedule) == ((), (), None)


def test_what_a_long_entry_means(folder: Folder) -> None:
    found = load(
        folder,
        """\
        parallelism: {all: 8, "layer:bronze": 4, "tag:spark": 1}
        jobs:
          first: {layer: bronze, argv: [x]}
          land:
            title: Lands
            layer: bronze
            argv: [etl, run, --tables, "{tables}", --since, "{interval_from}"]
            parameters: {tables: [companies], nested: {b: 1.5}}
            parameters_schema: {type: object, properties: {tables: {type: array, minItems: 1}}}
            parents: [first]
            tags: [spark, nightly]
            priority: 10
            concurrency_key: null
            when_held: skip
            retries: 5
            backoff: {first: 1m, longest: 1h}
            retry_for: 2h
            timeout: 90
            grace: 0.5
            late_after: 15m
            stuck_after: 1d
            enabled: false
            schedule: {cron: "0   2 * * mon", time_zone: Europe/Berlin, catch_up: all, catch_up_limit: 3, grace: 1h}
        """,
    )
    assert found.parallelism == {"all": 8, "layer:bronze": 4, "tag:spark": 1}
    land = found.jobs["land"]
    assert land.parameters == {"tables": ["companies"], "nested": {"b": 1.5}}
    assert (land.parents, land.tags, land.priority, land.concurrency_key) == (
        ("first",),
        ("spark", "nightly"),
        10,
        None,
    )
    assert (land.when_held, land.retries, land.backoff) == ("skip", 5, BackoffConfig(first=60, longest=3600))
    assert (land.retry_for, land.timeout, land.grace, land.late_after) == (7200, 90, 0.5, 900)
    assert (land.stuck_after, land.enabled) == (86400, False)
    assert land.schedule == ScheduleConfig(
        cron="0 2 * * mon", time_zone="Europe/Berlin", catch_up="all", catch_up_limit=3, grace=3600
    )
    assert land.schedule.row == {
        "cron": "0 2 * * mon",
        "time_zone": "Europe/Berlin",
        "catch_up": "all",
        "catch_up_limit": 3,
        "grace_seconds": 3600,
    }


def test_sql_and_callables(folder: Folder) -> None:
    folder.write("own.sql", "SELECT 1")
    found = load(
        folder,
        """\
        defaults: {layer: gold, store: postgresql}
        jobs:
          own: {sql: own.sql, store: clickhouse}
          shipped: {sql: sql/clickhouse/aggregates/003_churn_bands.sql}
          called: {python: "shop.prices:refresh"}
        """,
    ).jobs
    assert (found["own"].kind, found["called"].kind) == ("sql", "python")
    assert found["own"].command == {"sql": str((folder.path / "own.sql").resolve()), "store": "clickhouse"}
    assert found["shipped"].command == {
        "sql": "sql/clickhouse/aggregates/003_churn_bands.sql",  # as any clone of the project has it
        "store": "postgresql",
    }
    assert found["called"].command == {"callable": "shop.prices:refresh"}
    assert found["called"].store is None


def test_defaults_are_of_their_file_and_a_job_says_what_differs(folder: Folder) -> None:
    folder.write("jobs/other.yml", "jobs: {other: {layer: gold, argv: [x]}}\n")
    found = load(
        folder,
        """\
        defaults:
          layer: silver
          tags: [spark]
          timeout: 1h
          backoff: {first: 30s, longest: 10m}
          schedule: {cron: "0 2 * * *"}
          concurrency_key: shared
        jobs:
          as_it_is: {argv: [x]}
          differs: {argv: [x], tags: [], timeout: null, backoff: {first: 1s}, schedule: null, concurrency_key: null}
        """,
    ).jobs
    plain, differs, other = found["as_it_is"], found["differs"], found["other"]
    assert (plain.layer, plain.tags, plain.timeout, plain.concurrency_key) == ("silver", ("spark",), 3600, "shared")
    assert plain.schedule == ScheduleConfig(cron="0 2 * * *")
    assert (differs.tags, differs.timeout, differs.schedule, differs.concurrency_key) == ((), None, None, None)
    assert differs.backoff == BackoffConfig(first=1, longest=600)
    assert (other.layer, other.tags, other.concurrency_key, other.source_file) == (
        "gold",
        (),
        "other",
        "jobs/other.yml",
    )


def test_a_job_that_says_what_it_runs_takes_no_other_way_from_the_defaults(folder: Folder) -> None:
    found = load(
        folder,
        """\
        defaults: {layer: bronze, store: clickhouse, argv: [etl, run, --tables, "{tables}"]}
        jobs:
          inherits: {parameters: {tables: [a]}}
          words: {argv: [x]}
          script: {sql: sql/clickhouse/aggregates/003_churn_bands.sql}
        """,
    ).jobs
    assert found["inherits"].command == {"argv": ["etl", "run", "--tables", "{tables}"]}
    assert found["words"].command == {"argv": ["x"]}
    assert found["script"].command["store"] == "clickhouse"
    assert (found["inherits"].store, found["words"].store, found["script"].argv) == (None, None, None)


def test_a_parameter_that_inherited_words_name_is_missed_at_the_job(folder: Folder) -> None:
    jobs = "jobs:\n  a: {parameters: {tables: [b]}}\n  c: {priority: 1}\n"
    text = "defaults: {layer: bronze, argv: [x, '{tables}']}\n" + jobs
    (fault,) = faults(folder, text)
    assert fault.startswith("jobs/jobs.yaml:4: job c: argv: no parameter 'tables'; ")


def test_a_folder_without_jobs_has_none(folder: Folder) -> None:
    found = load_jobs(folder.path, {})
    assert (dict(found.jobs), dict(found.parallelism)) == ({}, {})


def test_variables_are_replaced(folder: Folder) -> None:
    text = "jobs: {land: {layer: bronze, argv: [x, '${HOME_OF_FILES}/in']}}\n"
    assert load(folder, text, {"HOME_OF_FILES": "/srv"}).jobs["land"].argv == ("x", "/srv/in")


# --- faults ---------------------------------------------------------------------------------------------------------


def test_all_faults_of_all_files_at_once(folder: Folder) -> None:
    folder.write("jobs/a.yaml", "parallelism: {all: 4}\njobs:\n  land: {layer: bronze, argv: [x], priority: -1}\n")
    folder.write("jobs/b.yaml", "defaults: {retrys: 1}\njob: {}\n")
    assert faults(
        folder,
        dedent(
            """\
            parallelism:
              all: 8
              "layer:bronz": 1
              "tag:spark": 0
              machine: 3
            jobs:
              land: {layer: bronze, argv: [x]}
              Loud: {layer: bronze, argv: [x]}
              silent:
              clean: {layer: bronze, tags: [spark], argv: [x], parents: [lnd], priorty: 1}
            """
        ),
    ) == [
        "jobs/a.yaml:3: job land: priority: should be greater than or equal to 0; found -1",
        "jobs/b.yaml:1: unknown key 'retrys' in defaults; did you mean 'retries'?",
        "jobs/b.yaml:2: unknown key 'job'; did you mean 'jobs'?",
        f"jobs/jobs.yaml:2: parallelism: scope 'all' is already given in {folder.path}/jobs/a.yaml:1".replace(
            f"{folder.path}/", ""
        ),
        "jobs/jobs.yaml:3: parallelism: no job has the layer 'bronz'; did you mean 'bronze'?",
        "jobs/jobs.yaml:4: parallelism: tag:spark: expected a whole number of runs, at least 1; found 0",
        "jobs/jobs.yaml:5: parallelism: unknown scope 'machine'; expected all, layer:NAME or tag:NAME",
        "jobs/jobs.yaml:7: job 'land' is already given in jobs/a.yaml:3",
        "jobs/jobs.yaml:8: job 'Loud': expected lower-case letters, digits, `_` and `-`, 80 at most",
        "jobs/jobs.yaml:9: job 'silent' must be a mapping of keys",
        "jobs/jobs.yaml:10: job clean: unknown key 'priorty'; did you mean 'priority'?",
        "jobs/jobs.yaml:10: job clean: unknown parent 'lnd'; did you mean 'land'?",
    ]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["title: nothing"], "2: job land: nothing to run: expected one of argv, sql, python"),
        (["argv: [x]", "python: a:b"], "5: job land: python: expected one way to run; argv is given in line 4"),
        (["argv: [x]", "store: clickhouse"], "5: job land: store: only a job of `sql` has one"),
        (["python: refresh"], "4: job land: python: expected module:function, such as"),
        (["argv: []"], "4: job land: argv: "),
        (["argv: [x, 5]"], "4: job land: argv.1: should be a valid string; found 5"),
        (["argv: [x]", "slug: other"], "5: job land: unknown key 'slug'; the slug is the entry's name"),
        (["argv: [x]", "timeout: 3 weeks"], "5: job land: timeout: expected a duration: 10s, 5m, 2h, 1d"),
        (["argv: [x]", "timeout: 0"], "5: job land: timeout: should be greater than 0; found 0"),
        (["argv: [x]", "backoff: {first: 10m}"], "5: job land: backoff: expected at least `first`, 600 seconds"),
        (["argv: [x]", "when_held: wait"], "5: job land: when_held: unknown value 'wait'; "),
        (["argv: [x]", "parents: [a, a]"], "5: job land: parents: expected each name once; found a more often"),
        (["argv: [x]", "concurrency_key: 'lake:{x}'"], "5: job land: concurrency_key: expected a plain text"),
        (["argv: [x, 'password=hush']"], "4: job land: argv: holds a secret; let the job read it from"),
        (["argv: [x, 'postgresql://u:hush@h/d']"], "4: job land: argv: holds a secret"),
        (["argv: [x]", "schedule: {cron: '0 25 * * *'}"], "5: job land: schedule.cron: expected a cron expression"),
        (["argv: [x]", "schedule: {cron: '* * * * * *'}"], "5: job land: schedule.cron: expected five fields"),
        (["argv: [x]", "schedule: {cron: '0 0 31 2 *'}"], "5: job land: schedule.cron: expected a cron expression"),
        (
            ["argv: [x]", "schedule: {cron: '0 2 * * *', time_zone: Europe/Berln}"],
            "5: job land: schedule.time_zone: expected an IANA time zone, such as Europe/Berlin; found 'Europe/Berln'; "
            "did you mean 'Europe/Berlin'?",
        ),
        (["argv: [x]", "schedule: {crn: x}"], "5: job land: unknown key 'crn' in schedule; did you mean 'cron'?"),
    ],
)
def test_what_an_entry_may_not_say(folder: Folder, lines: list[str], told: str) -> None:
    found = faults_of(folder, *lines)
    assert any(fault.startswith(f"jobs/jobs.yaml:{told}") for fault in found), found


def test_sql_has_a_file_and_a_store(folder: Folder) -> None:
    folder.write("empty.sql", "\n")
    assert faults_of(folder, "sql: sql/no.sql", "store: postgres") == [
        "jobs/jobs.yaml:4: job land: sql: no file 'sql/no.sql' in the configuration's folder or the project's",
        "jobs/jobs.yaml:5: job land: store: unknown value 'postgres'; did you mean 'postgresql'?",
    ]
    assert faults_of(folder, "sql: empty.sql") == [
        "jobs/jobs.yaml:4: job land: sql: 'empty.sql' is empty",
        "jobs/jobs.yaml:4: job land: sql: key 'store' is missing; expected postgresql or clickhouse",
    ]


def test_what_is_wrong_with_defaults_is_said_once(folder: Folder) -> None:
    text = "defaults:\n  layer: bronze\n  timeout: soon\njobs:\n  a: {argv: [x]}\n  b: {argv: [x]}\n"
    (fault,) = faults(folder, text)
    assert fault.startswith("jobs/jobs.yaml:3: defaults: timeout: expected a duration")


# --- parameters -----------------------------------------------------------------------------------------------------


def test_parameters_are_held_against_their_schema(folder: Folder) -> None:
    assert faults_of(
        folder,
        "argv: [x]",
        "parameters:",
        "  days: 0",
        "  tables:",
        "    - [companies]",
        "    - brands",
        "parameters_schema:",
        "  type: object",
        "  required: [limit]",
        "  properties:",
        "    days: {type: integer, minimum: 1}",
        "    tables: {type: array, items: {type: string}}",
    ) == [
        'jobs/jobs.yaml:5: job land: parameters: "limit" is a required property',
        "jobs/jobs.yaml:6: job land: parameters.days: 0 is less than the minimum of 1",
        'jobs/jobs.yaml:8: job land: parameters.tables.0: ["companies"] is not of type "string"',
    ]


def test_what_a_variable_gave_is_never_told(folder: Folder) -> None:
    text = "jobs: {land: {layer: b, argv: [x], parameters: {key: '${KEY}'}, parameters_schema: %s}}\n"
    with pytest.raises(ConfigurationError) as caught:
        load(folder, text % "{properties: {key: {type: integer}}}", {"KEY": "hunter2"})
    assert "jobs.yaml:1: job land: parameters.key: what a variable gave breaks parameters_schema" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_parameters_hold_no_secrets(folder: Folder) -> None:
    """They are kept in the database, and shown to all who look at a run."""
    assert faults_of(folder, "argv: [x]", "parameters: {password: hush, url: 'postgresql://u:hush@h/d', n: 1.5}") == [
        "jobs/jobs.yaml:5: job land: parameters.password: holds a secret; let the job read it from its environment",
        "jobs/jobs.yaml:5: job land: parameters.url: holds a secret; let the job read it from its environment",
    ]


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ("{type: objekt}", '"objekt" is not valid'),
        ("{$ref: 'https://example.com/schema.json'}", "Resource 'https://example.com/schema.json' is not present"),
    ],
)
def test_a_schema_must_be_one(folder: Folder, schema: str, told: str) -> None:
    (fault,) = faults_of(folder, "argv: [x]", f"parameters_schema: {schema}")
    assert fault.startswith(f"jobs/jobs.yaml:5: job land: parameters_schema: {told}")


def test_parameters_that_json_does_not_hold(folder: Folder) -> None:
    assert faults_of(folder, "argv: [x]", "parameters:", "  a: {b: [1, 9007199254740993]}", "  c: 1e999") == [
        "jobs/jobs.yaml:6: job land: parameters.a.b.1: is a whole number beyond ±9007199254740991 (2^53 - 1); "
        "write it as text",
        "jobs/jobs.yaml:7: job land: parameters.c: is inf; expected a finite number",
    ]


def test_names_of_parameters(folder: Folder) -> None:
    assert faults_of(folder, "argv: [x]", "parameters: {run_id: 5, a-b: 1}") == [
        "jobs/jobs.yaml:5: job land: parameters: 'a-b': expected letters, digits and `_`",
        "jobs/jobs.yaml:5: job land: parameters: every run has 'run_id' already; choose another name",
    ]


def test_words_name_parameters_that_there_are(folder: Folder) -> None:
    told = faults_of(
        folder,
        'argv: [x, "{tables}", "{limit}", "{scheduled_at}/{tabels}", "{}", "{not a name}"]',
        "parameters: {tables: [a]}",
        "parameters_schema: {properties: {limit: {type: integer}}}",
    )
    assert told == ["jobs/jobs.yaml:4: job land: argv: no parameter 'tabels'; did you mean 'tables'?"]
