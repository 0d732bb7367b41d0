"""A night of the shipped 72 jobs, each with a moment's work in its place: who runs when, and who does not."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from graphlib import TopologicalSorter

import pytest

from etl.config.orchestrator.jobs import load_jobs
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.seed import seed
from etl.project import DEFAULT_CONFIG_DIR
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import active_locks, ask, statuses
from tests.integration.orchestrator.work.working import working
from tests.patience import eventually

PARALLELISM = 8
SLOTS = 6
MOMENT = '["sh", "-c", "sleep 0.05"]'


@pytest.fixture
def parents(database: OrchestratorDatabase, execute: Execute) -> dict[str, Collection[str]]:
    """The jobs of conf/jobs, by what they wait for; eight at once, whatever their layers."""
    jobs = replace(load_jobs(DEFAULT_CONFIG_DIR, {}), parallelism={"all": PARALLELISM})
    seed(database, jobs)
    execute(
        "UPDATE dw_etl_jobs SET kind = 'command', command = jsonb_build_object('argv', %s::jsonb), retries = 0",
        (MOMENT,),
    )
    return {slug: job.parents for slug, job in jobs.jobs.items()}


def test_no_child_runs_before_its_parents_nor_more_than_eight_at_once(
    database: OrchestratorDatabase, execute: Execute, parents: dict[str, Collection[str]]
) -> None:
    ask(database, *parents)
    with workers(database, 2):
        assert eventually(lambda: set(statuses(execute).values()) == {"success"})
    assert len(statuses(execute)) == 72
    held = spans(execute)
    too_early = [(parent, child) for child in parents for parent in parents[child] if held[child][0] < held[parent][1]]
    assert too_early == []
    assert most_at_once(held.values()) == PARALLELISM
    assert active_locks(execute) == 0


def test_one_that_fails_takes_just_its_descendants_along(
    database: OrchestratorDatabase, execute: Execute, parents: dict[str, Collection[str]]
) -> None:
    failing = some_bronze(parents)
    execute("""UPDATE dw_etl_jobs SET command = '{"argv": ["sh", "-c", "exit 2"]}' WHERE slug = %s""", (failing,))
    ask(database, *parents)
    with workers(database, 2):
        assert eventually(lambda: not {"queued", "running"} & set(statuses(execute).values()))
    lost = descendants(failing, parents)
    assert lost
    found = statuses(execute)
    assert {slug for slug, status in found.items() if status == "skipped"} == lost
    assert {slug for slug, status in found.items() if status == "failed"} == {failing}
    assert {status for slug, status in found.items() if slug not in lost | {failing}} == {"success"}
    because = execute(
        "SELECT DISTINCT slug FROM dw_etl_runs AS run JOIN dw_etl_runs AS cause ON cause.run_id = run.because_run_id"
        " JOIN dw_etl_jobs AS job ON job.job_id = cause.job_id WHERE run.status = 'skipped'"
    )
    assert because == [(failing,)]


@contextmanager
def workers(database: OrchestratorDatabase, count: int) -> Iterator[None]:
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(working(database, SLOTS))
        yield


def spans(execute: Execute) -> dict[str, tuple[float, float]]:
    """By job: from when until when its run was held, in seconds."""
    rows = execute(
        "SELECT slug, extract(epoch FROM acquired_at)::float8, extract(epoch FROM released_at)::float8"
        " FROM dw_etl_job_locks JOIN dw_etl_jobs USING (job_id)"
    )
    return {slug: (began, ended) for slug, began, ended in rows}


def most_at_once(held: Collection[tuple[float, float]]) -> int:
    """An end comes before a beginning of the same instant."""
    changes = sorted([(began, 1) for began, _ in held] + [(ended, -1) for _, ended in held])
    under_way = most = 0
    for _, change in changes:
        under_way += change
        most = max(most, under_way)
    return most


def descendants(slug: str, parents: dict[str, Collection[str]]) -> set[str]:
    found: set[str] = set()
    for each in TopologicalSorter(parents).static_order():
        if found & set(parents[each]) or slug in parents[each]:
            found.add(each)
    return found


def some_bronze(parents: dict[str, Collection[str]]) -> str:
    """One with descendants, which are not all there is."""
    return max(
        (slug for slug in parents if slug.startswith("bronze_") and len(descendants(slug, parents)) < 30),
        key=lambda slug: len(descendants(slug, parents)),
    )
