"""What a run of the main job is told of: its loads, and how all configured tables stand."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from etl.alerts.findings import (
    Finding,
    LoadOutcome,
    NextSteps,
    Place,
    Standing,
    Verdict,
    judge_load,
    judge_standing,
)
from etl.config.alerts import AlertKind, AlertSettings
from etl.model import LoadStatus
from etl.report.commands import Commands
from etl.report.values import RecordedLoad, report_load

RUN = Place()


def judge_loads(
    verdict: Verdict,
    run_id: str,
    records: Iterable[RecordedLoad],
    paces: Mapping[tuple[str, str], float],
    alerts: AlertSettings,
    commands: Commands,
) -> None:
    """`paces`: the usual rows a second by table and destination, where they are known."""
    steps = NextSteps(commands.resume(run_id), commands.list_rejects(run_id), commands.compare_runs())
    for record in records:
        load = report_load(record)
        place = Place(load.table, load.destination)
        outcome = LoadOutcome(
            place,
            load.rows_read,
            load.rows_rejected,
            load.seconds,
            record.error_class,
            load.error,
            paces.get((load.table, load.destination)) if load.status is LoadStatus.SUCCESS else None,
        )
        judge_load(verdict, outcome, alerts.limits_of(load.table), steps)


def judge_standings(
    verdict: Verdict,
    standings: Iterable[Standing],
    configured: Collection[tuple[str, str]],
    alerts: AlertSettings,
    commands: Commands,
) -> None:
    """Of the configured loads alone."""
    for each in standings:
        table, destination = str(each.place.table), str(each.place.destination)
        if (table, destination) in configured:
            step = commands.load("--tables", table, "--load-destinations", destination)
            judge_standing(verdict, each, alerts.limits_of(table), step)


def judge_dead_run(verdict: Verdict, run_id: str, next_step: str) -> None:
    found = f"nothing was heard of run {run_id} any more, and it has not ended: its process, or its machine, died"
    verdict.found.append(Finding(AlertKind.FAILURE, RUN, "the run to end", found, next_step))
