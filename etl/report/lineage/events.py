"""A finished run → OpenLineage's run events: one job for the run, one for each table and destination."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    JobFacet,
    RunFacet,
    error_message_run,
    job_type_job,
    nominal_time_run,
    parent_run,
    set_producer,
)
from openlineage.client.uuid import generate_static_uuid

from etl import __version__
from etl.config.configuration import Configuration
from etl.config.lineage import LineageSettings
from etl.model import LoadStatus, RunStatus
from etl.report.lineage.datasets import LoadFacts, inputs_of, outputs_of
from etl.report.lineage.records import BrokenRule, LineageRecord
from etl.report.values import RunReport, TableReport

PRODUCER = f"pkg:generic/ownlens-etl@{__version__}"
RUN_JOB = "etl"
_INTEGRATION = "OWNLENS_ETL"

set_producer(PRODUCER)


@dataclass(frozen=True)
class RunLineage:
    """`broken`: what the run's rules rejected. `since` and `until`: the interval that it was asked for."""

    lineage: LineageSettings
    configuration: Configuration
    report: RunReport
    broken: tuple[BrokenRule, ...] = ()
    since: datetime | None = None
    until: datetime | None = None

    def events(self, records: Iterable[LineageRecord]) -> list[RunEvent]:
        """The run's start, start and end of each load that was begun, the run's end: each with the time it had."""
        report, facets = self.report, self._run_facets()
        started = self._event(RunState.START, report.started_at, self._run(facets), self._job)
        failure = {"errorMessage": _error(_failure(report))} if report.status is not RunStatus.SUCCESS else {}
        state = RunState.FAIL if failure else RunState.COMPLETE
        ended = self._event(state, report.finished_at, self._run(facets | failure), self._job)
        return [started, *(event for record in records for event in self._load_events(record)), ended]

    @cached_property
    def _run_id(self) -> str:
        """Of the same run the same, whenever it is asked for."""
        return str(generate_static_uuid(self.report.started_at, self.report.run_id.encode()))

    @property
    def _job(self) -> Job:
        return self._named(RUN_JOB, "JOB")

    def _run(self, facets: dict[str, RunFacet]) -> Run:
        return Run(self._run_id, dict(facets))

    def _run_facets(self) -> dict[str, RunFacet]:
        facets: dict[str, RunFacet] = {}
        if parent := self.lineage.parent:
            facets["parent"] = parent_run.ParentRunFacet(
                parent_run.Run(parent.run_id), parent_run.Job(parent.namespace, parent.name)
            )
        return facets | self._interval()

    def _interval(self) -> dict[str, RunFacet]:
        """OpenLineage's, like ours, has its start and not its end."""
        if self.since is None:
            return {}
        until = self.until.isoformat() if self.until else None
        return {"nominalTime": nominal_time_run.NominalTimeRunFacet(self.since.isoformat(), until)}

    def _load_events(self, record: LineageRecord) -> Iterator[RunEvent]:
        """None of a load that was never begun."""
        if record.started_at is None:
            return
        name = f"{record.table_name}/{record.destination}"
        run_id = str(generate_static_uuid(record.started_at, f"{self.report.run_id}/{name}".encode()))
        job = self._named(f"{RUN_JOB}.{record.table_name}.{record.destination}", "TASK")
        mother = parent_run.ParentRunFacet(
            parent_run.Run(self._run_id), parent_run.Job(self.lineage.namespace, RUN_JOB), self._root()
        )
        facets: dict[str, RunFacet] = {"parent": mother} | self._interval()
        inputs, outputs = self._datasets(record)
        yield self._event(RunState.START, record.started_at, Run(run_id, dict(facets)), job)
        state, error = _ending(record)
        ended_at = record.finished_at or self.report.finished_at
        failure: dict[str, RunFacet] = {"errorMessage": _error(error)} if error else {}
        yield self._event(state, ended_at, Run(run_id, facets | failure), job, inputs, outputs)

    def _root(self) -> parent_run.Root:
        parent = self.lineage.parent
        if parent is None:
            return parent_run.Root(
                parent_run.RootRun(self._run_id), parent_run.RootJob(self.lineage.namespace, RUN_JOB)
            )
        return parent_run.Root(parent_run.RootRun(parent.run_id), parent_run.RootJob(parent.namespace, parent.name))

    def _datasets(self, record: LineageRecord) -> tuple[list[InputDataset], list[OutputDataset]]:
        """None of a table that the configuration has no more (a resumed run's)."""
        table = self.configuration.tables.get(record.table_name)
        if table is None:
            return [], []
        broken = {
            each.rule: each.rows
            for each in self.broken
            if each.table_name == record.table_name and each.destination in (None, record.destination)
        }
        load = LoadFacts(record, table, self.configuration, broken)
        return inputs_of(load), outputs_of(load)

    def _named(self, name: str, kind: str) -> Job:
        facets: dict[str, JobFacet] = {"jobType": job_type_job.JobTypeJobFacet("BATCH", _INTEGRATION, kind)}
        return Job(self.lineage.namespace, name, facets)

    def _event(
        self,
        state: RunState,
        at: datetime,
        run: Run,
        job: Job,
        inputs: list[InputDataset] | None = None,
        outputs: list[OutputDataset] | None = None,
    ) -> RunEvent:
        return RunEvent(
            eventType=state, eventTime=at.isoformat(), run=run, job=job, inputs=inputs or [], outputs=outputs or []
        )


def _ending(record: LineageRecord) -> tuple[RunState, str | None]:
    if record.status == "running":
        return RunState.ABORT, "the run ended before this load did"
    if record.status == LoadStatus.FAILED:
        return RunState.FAIL, record.error_message or "no message"
    return RunState.COMPLETE, None


def _failure(report: RunReport) -> str:
    names = [_named(load) for load in report.failed]
    return f"{len(names)} of {len(report.loads)} loads failed: {', '.join(names)}" if names else "the run broke off"


def _named(load: TableReport) -> str:
    return f"{load.table} into {load.destination}"


def _error(message: str) -> error_message_run.ErrorMessageRunFacet:
    return error_message_run.ErrorMessageRunFacet(message, "PYTHON")
