"""Asks for runs: of one job, with what depends on it or on what it depends, or of many as one cycle."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2.extras import RealDictCursor

from etl.errors import UsageError
from etl.nearest import suggestion
from etl.orchestrator.command.finding import Row, asker, find_job
from etl.orchestrator.command.graph import Graph, graph_of
from etl.orchestrator.command.moments import moment
from etl.orchestrator.command.parameters import given_parameters
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.queries import statement
from etl.orchestrator.fingerprint import fingerprint
from etl.orchestrator.queue.cycles import MadeRun, NewCycle, NewRun, create_runs
from etl.orchestrator.values import RunStatus, Trigger

_ID = re.compile(r"(?!\d+\Z)[\w.:@/+-]{1,200}")


@dataclass(frozen=True)
class Wanted:
    """What a command line asks for."""

    slug: str | None = None
    downstream: bool = False
    upstream: bool = False
    is_all: bool = False
    layer: str | None = None
    tag: str | None = None
    pairs: tuple[str, ...] = ()
    document: str | None = None
    correlation_id: str | None = None
    unless_succeeded: bool = False

    @property
    def has_parameters(self) -> bool:
        return bool(self.pairs) or self.document is not None


@dataclass(frozen=True)
class Asked:
    """`note` says why nothing was made, or what was left out; `runs` may have stood before."""

    cycle_id: str
    runs: tuple[MadeRun, ...]
    note: str = ""

    @property
    def json(self) -> dict[str, Any]:
        runs = [vars(run) for run in self.runs]
        return {
            "cycle_id": self.cycle_id,
            "started": any(run.is_new for run in self.runs),
            "runs": runs,
            "note": self.note,
        }


def ask(database: OrchestratorDatabase, wanted: Wanted) -> Asked:
    _check(wanted)
    if wanted.slug is None:
        return _ask_for_many(database, wanted)
    job = find_job(database, wanted.slug)
    if not job["is_enabled"]:
        raise UsageError(f"job {job['slug']} is disabled; `job enable {job['slug']}` lets its runs start")
    given = given_parameters(job, wanted.pairs, wanted.document)
    wanted_fingerprint = fingerprint({**job["parameters"], **given})
    if wanted.unless_succeeded and (done := _succeeded(database, job, wanted_fingerprint)):
        return done
    chosen, note = _without_disabled(_around(graph_of(database), wanted))
    with database.transaction("ask for runs") as cursor:
        if wanted.correlation_id and (known := _known(cursor, job, wanted.correlation_id, wanted_fingerprint)):
            return known
        own = NewRun(job["slug"], given, correlation_id=wanted.correlation_id)
        others = [NewRun(slug) for slug in chosen.nodes if slug != job["slug"]]
        return _made(cursor, [own, *others], note)


def _check(wanted: Wanted) -> None:
    selections = [word for word, is_given in _selections(wanted) if is_given]
    if len(selections) != 1:
        found = " and ".join(selections) or "none of them"
        raise UsageError(f"expected a job's SLUG, or --all, or --layer or --tag; found {found}")
    if wanted.correlation_id is not None and not _ID.fullmatch(wanted.correlation_id):
        raise UsageError(
            "--correlation-id: expected 1 to 200 letters, digits and . _ : @ / + -, and not a number alone, which "
            f"means a run; found {wanted.correlation_id!r}"
        )
    of_one = {
        "--param": wanted.has_parameters,
        "--correlation-id": wanted.correlation_id is not None,
        "--unless-succeeded": wanted.unless_succeeded,
    }
    misplaced = [word for word, is_given in of_one.items() if is_given]
    if wanted.slug is None and misplaced:
        raise UsageError(f"{misplaced[0]} is for one job: name it by its SLUG instead of {selections[0]}")


def _selections(wanted: Wanted) -> list[tuple[str, bool]]:
    return [
        (f"{wanted.slug!r}", wanted.slug is not None),
        ("--all", wanted.is_all),
        (
            "--layer and --tag" if wanted.layer and wanted.tag else "--layer" if wanted.layer else "--tag",
            wanted.layer is not None or wanted.tag is not None,
        ),
    ]


def _ask_for_many(database: OrchestratorDatabase, wanted: Wanted) -> Asked:
    graph = graph_of(database)
    chosen, note = _without_disabled(_around(graph, wanted))
    if not chosen.nodes:
        raise UsageError(note or _nothing_chosen(graph, wanted))
    with database.transaction("ask for runs") as cursor:
        return _made(cursor, [NewRun(slug) for slug in chosen.nodes], note)


def _around(graph: Graph, wanted: Wanted) -> Graph:
    roots = {wanted.slug} if wanted.slug else _selected(graph, wanted)
    chosen = set(roots)
    for slug in roots:
        chosen |= graph.descendants(slug) if wanted.downstream else set()
        chosen |= graph.ancestors(slug) if wanted.upstream else set()
    return graph.only(chosen)


def _selected(graph: Graph, wanted: Wanted) -> set[str]:
    return {
        slug
        for slug, node in graph.nodes.items()
        if wanted.layer in (None, node.layer) and (wanted.tag is None or wanted.tag in node.tags)
    }


def _without_disabled(graph: Graph) -> tuple[Graph, str]:
    """A run of theirs would hold up the cycle for as long as they are disabled."""
    disabled = sorted(slug for slug, node in graph.nodes.items() if not node.is_enabled)
    kept = graph.only(set(graph.nodes) - set(disabled))
    return kept, f"left out, for they are disabled: {', '.join(disabled)}" if disabled else ""


def _nothing_chosen(graph: Graph, wanted: Wanted) -> str:
    layers = {node.layer for node in graph.nodes.values()}
    if wanted.layer is not None and wanted.layer not in layers:
        return f"--layer: no job is of layer {wanted.layer!r}; {suggestion(wanted.layer, layers)}"
    tags = {tag for node in graph.nodes.values() for tag in node.tags}
    if wanted.tag is not None and wanted.tag not in tags:
        return f"--tag: no job has the tag {wanted.tag!r}; {suggestion(wanted.tag, tags)}"
    return "there are no such jobs; `job list` shows those there are"


def _succeeded(database: OrchestratorDatabase, job: Row, wanted_fingerprint: str) -> Asked | None:
    values = {"fingerprint": wanted_fingerprint, "slug": job["slug"], "status": "success", "limit": 1}
    for run in database.at_once("runs_by_fingerprint", values):
        made = MadeRun(run["run_id"], job["slug"], run["correlation_id"], RunStatus(run["status"]), False)
        note = f"run {run['run_id']} succeeded with these parameters at {moment(run['ended_at'])}; none is started"
        return Asked(run["cycle_id"], (made,), note)
    return None


def _known(cursor: RealDictCursor, job: Row, correlation_id: str, wanted_fingerprint: str) -> Asked | None:
    """The run that somebody has asked for by the same id; whoever asks at the same time waits for the first."""
    cursor.execute(statement("lock_correlation"), {"correlation_id": correlation_id})
    cursor.execute(statement("run_shown"), {"run_id": None, "correlation_id": correlation_id})
    run = cursor.fetchone()
    if run is None:
        return None
    _check_same(run, job, wanted_fingerprint)
    made = MadeRun(run["run_id"], run["slug"], correlation_id, RunStatus(run["status"]), False)
    return Asked(run["cycle_id"], (made,), f"run {run['run_id']} was asked for by this correlation id before")


def _check_same(run: Mapping[str, Any], job: Row, wanted_fingerprint: str) -> None:
    told = f"run {run['run_id']} has the correlation id {run['correlation_id']!r} already"
    if run["job_id"] != job["job_id"]:
        raise UsageError(f"{told}, and is of job {run['slug']}; give this one another")
    if run["parameter_fingerprint"] != wanted_fingerprint:
        raise UsageError(f"{told}, with other parameters (`run show {run['run_id']}`); give this one another")


def _made(cursor: RealDictCursor, runs: list[NewRun], note: str) -> Asked:
    cycle_id = f"manual-{secrets.token_hex(4)}"
    cursor.execute("SELECT clock_timestamp() AS now")
    (row,) = cursor.fetchall()
    made = create_runs(cursor, NewCycle(cycle_id, Trigger.MANUAL, row["now"], runs, requested_by=asker()))
    return Asked(cycle_id, tuple(made), note)
