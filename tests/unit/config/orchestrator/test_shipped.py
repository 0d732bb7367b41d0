"""The jobs that the product ships: how many, over which tables, in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter

import pytest

from etl.config.configuration import Configuration, load_configuration
from etl.config.orchestrator.jobs import JobConfig, JobsConfiguration, load_jobs
from etl.config.staging.jobs import load_staging_configuration
from etl.project import DEFAULT_CONFIG_DIR, PROJECT_DIR, SQL_DIR

LAYERS = ("bronze", "silver", "gold")


@pytest.fixture(scope="module")
def shipped() -> JobsConfiguration:
    return load_jobs(DEFAULT_CONFIG_DIR, {})


@pytest.fixture(scope="module")
def configuration() -> Configuration:
    return load_configuration(DEFAULT_CONFIG_DIR, {})


def loads(jobs: JobsConfiguration, layer: str) -> Iterator[tuple[JobConfig, str]]:
    """Each job of a layer that starts the main job, with each table that it names."""
    for job in jobs.jobs.values():
        if job.layer == layer and job.argv is not None and job.argv[:2] == ("etl", "run"):
            for table in job.parameters["tables"]:
                yield job, table


def ancestors(jobs: JobsConfiguration, slug: str) -> set[str]:
    parents = set(jobs.jobs[slug].parents)
    return parents.union(*(ancestors(jobs, parent) for parent in parents))


def test_they_are_72_in_three_layers(shipped: JobsConfiguration) -> None:
    assert Counter(job.layer for job in shipped.jobs.values()) == {"bronze": 24, "silver": 28, "gold": 20}
    for job in shipped.jobs.values():
        assert job.slug.startswith(f"{job.layer}_")
        assert job.title and job.enabled
    titles = [job.title for job in shipped.jobs.values()]
    assert len(set(titles)) == len(titles)


@pytest.mark.parametrize(("layer", "destinations"), [("bronze", "s3"), ("silver", "postgresql,clickhouse")])
def test_every_table_is_loaded_once(
    shipped: JobsConfiguration, configuration: Configuration, layer: str, destinations: str
) -> None:
    tables = Counter(table for _, table in loads(shipped, layer))
    assert tables == dict.fromkeys(configuration.tables, 1)
    assert len(tables) == 79
    for job, _ in loads(shipped, layer):
        assert job.argv == ("etl", "run", "--load-destinations", destinations, "--tables", "{tables}")
        assert "spark" in job.tags


def test_a_table_is_in_the_stores_after_the_lake(shipped: JobsConfiguration) -> None:
    bronze = {table: job.slug for job, table in loads(shipped, "bronze")}
    for job, table in loads(shipped, "silver"):
        assert bronze[table] in ancestors(shipped, job.slug), (job.slug, table)


def test_a_table_is_in_the_stores_after_those_its_foreign_keys_point_at(
    shipped: JobsConfiguration, configuration: Configuration
) -> None:
    silver = {table: job.slug for job, table in loads(shipped, "silver")}
    pairs = {
        (silver[table], silver[key.parent_table])
        for table, definition in configuration.definitions.items()
        for key in definition.foreign_keys
        if silver[table] != silver[key.parent_table]
    }
    assert len(pairs) > 20
    for child, parent in pairs:
        assert parent in ancestors(shipped, child), (child, parent)


def test_gold_comes_after_the_tables_that_it_reads(shipped: JobsConfiguration, configuration: Configuration) -> None:
    silver = {table: job.slug for job, table in loads(shipped, "silver")}
    for job in shipped.jobs.values():
        if job.sql is not None:
            words = set((PROJECT_DIR / job.sql).read_text(encoding="utf-8").replace("(", " ").split())
            read = words & configuration.tables.keys()
            assert read, job.slug
            for table in read:
                assert silver[table] in ancestors(shipped, job.slug), (job.slug, table)


def test_each_file_of_gold_is_a_job(shipped: JobsConfiguration) -> None:
    for store in ("postgresql", "clickhouse"):
        files = {f"sql/{store}/gold/{path.name}" for path in (SQL_DIR / store / "gold").glob("*.sql")}
        jobs = [job for job in shipped.jobs.values() if job.layer == "gold" and job.store == store]
        assert {job.sql for job in jobs} == files
        assert all(f"gold_{(PROJECT_DIR / (job.sql or '')).stem}" == job.slug for job in jobs)
        assert len(jobs) == 10


def test_the_files_that_others_bring_are_there(shipped: JobsConfiguration) -> None:
    staging = load_staging_configuration(DEFAULT_CONFIG_DIR, {}).jobs
    words = [job.argv or () for job in shipped.jobs.values()]
    assert {argv[3] for argv in words if argv[:3] == ("etl", "staging", "load")} == set(staging)
    (views,) = (job for job in shipped.jobs.values() if job.argv and job.argv[:2] == ("etl", "upload"))
    assert list(PROJECT_DIR.glob(views.parameters["files"]))


def test_one_tick_brings_all_of_them(shipped: JobsConfiguration) -> None:
    """Those that are scheduled tick together, and all others follow from them."""
    scheduled = {job.slug: job.schedule for job in shipped.jobs.values() if job.schedule is not None}
    assert {(schedule.cron, schedule.time_zone, schedule.catch_up) for schedule in scheduled.values()} == {
        ("0 2 * * *", "Europe/Berlin", "last")
    }
    for job in shipped.jobs.values():
        assert (job.slug in scheduled) != bool(job.parents), job.slug
        assert job.slug in scheduled or scheduled.keys() & ancestors(shipped, job.slug)
        assert job.layer != "bronze" or job.slug in scheduled


def test_they_are_an_order_of_layers(shipped: JobsConfiguration) -> None:
    order = list(TopologicalSorter({slug: job.parents for slug, job in shipped.jobs.items()}).static_order())
    assert len(order) == 72
    for job in shipped.jobs.values():
        for parent in job.parents:
            assert LAYERS.index(shipped.jobs[parent].layer) <= LAYERS.index(job.layer), (job.slug, parent)


def test_what_others_wait_for_comes_first(shipped: JobsConfiguration) -> None:
    """Within a layer no job has less priority than one that waits for it."""
    for job in shipped.jobs.values():
        for parent in (shipped.jobs[slug] for slug in job.parents):
            assert parent.layer != job.layer or parent.priority >= job.priority, (job.slug, parent.slug)


def test_two_jvms_at_once_on_one_machine(shipped: JobsConfiguration) -> None:
    assert shipped.parallelism == {"all": 8, "tag:spark": 2, "tag:clickhouse": 4}


def test_limits_leave_room_for_one_another(shipped: JobsConfiguration) -> None:
    """Somebody is told of a run that is stuck before it is ended; what is tried again has the time for it."""
    for job in shipped.jobs.values():
        assert job.timeout is not None and job.stuck_after is not None and job.retry_for is not None, job.slug
        assert job.late_after is not None
        assert job.stuck_after < job.timeout, job.slug
        assert job.retry_for > job.timeout, job.slug
