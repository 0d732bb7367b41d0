"""Whom a run of the staging loader tells, and of what: at its end, by its ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from etl.alerts.findings import (
    FEWEST_PACE_LOADS,
    FEWEST_ROWS,
    PACE_LOADS,
    Finding,
    LoadOutcome,
    NextSteps,
    Place,
    Standing,
    Verdict,
    judge_load,
    judge_standing,
)
from etl.alerts.outbox import CursorOutbox
from etl.alerts.telling import Teller
from etl.config.alerts import AlertKind
from etl.config.limits import exceeds
from etl.config.staging.jobs import StagingConfiguration
from etl.config.staging.models import StagingJob
from etl.errors import EtlError, NotYetError, RejectedRowsError, UsageError
from etl.report.commands import Commands
from etl.staging.database.database import StagingDatabase
from etl.staging.ledger.queries import statement
from etl.staging.ledger.values import Run

log = structlog.get_logger(__name__)


def outbox_of(database: StagingDatabase) -> CursorOutbox:
    return CursorOutbox("etl_alerts", database.rows)


class RunAlerts:
    """Of one run of a job."""

    def __init__(self, configuration: StagingConfiguration, job: StagingJob, commands: Commands) -> None:
        self._configuration = configuration
        self._job = job
        self._commands = commands
        secrets = (configuration.database.password.get_secret_value(),)
        self._teller = Teller("staging", configuration.alerts, secrets)

    def tell(self, database: StagingDatabase, run: Run) -> None:
        """Never raises: what was stored stays stored. A run that somebody cancelled is told of by whoever did."""
        if not self._teller.is_wanted or run.status == "canceled":
            return
        verdict = Verdict()
        try:
            self._judge(database, run, verdict)
        except EtlError as error:
            log.warning("alerts not told", run_id=run.id, error=error.message)
            return
        self._teller.tell(outbox_of(database), verdict, run.id)

    @contextmanager
    def of_breaking_off(self) -> Iterator[None]:
        """A run that could not begin, or be ended in the ledger: told at once."""
        try:
            yield
        except (UsageError, NotYetError):
            raise
        except EtlError as error:
            step = self._commands.load_staging(self._job.id)
            found = f"{type(error).__name__}: {error.message}"
            failure = Finding(AlertKind.FAILURE, self._place, "the run to be a success", found, step)
            self._teller.tell_at_once([failure])
            raise

    @property
    def _place(self) -> Place:
        return Place(self._job.target_table, source=self._job.id)

    def _judge(self, database: StagingDatabase, run: Run, verdict: Verdict) -> None:
        alerts = self._configuration.alerts
        error_class, error = self._error_of(database, run)
        outcome = LoadOutcome(
            self._place, run.rows_attempted, run.rows_rejected, run.seconds, error_class, error,
            usual_pace(database, run),
        )  # fmt: skip
        status = self._commands.staging_status(run.id)
        steps = NextSteps(self._commands.retry_staging(run.id), status, status)
        judge_load(verdict, outcome, alerts.limits_of(run.target_table), steps)
        judge_jobs(verdict, database, self._configuration, self._commands)

    def _error_of(self, database: StagingDatabase, run: Run) -> tuple[str | None, str | None]:
        if run.status == "success":
            return None, None
        if exceeds(self._job.maximum_rejected, run.rows_rejected, run.rows_attempted):
            return RejectedRowsError.__name__, run.failure or "more records were rejected than maximum_rejected allows"
        with database.rows("first_failure") as cursor:
            cursor.execute(statement("first_failure"), {"run_id": run.id})
            first = cursor.fetchone()
        if first is None:
            return None, run.failure or f"the run ended {run.status}"
        failed = f"{run.batches_failed:,} of {run.batches:,} batches; the first: {first['error_message']}"
        return first["error_code"], run.failure or failed


def judge_jobs(
    verdict: Verdict, database: StagingDatabase, configuration: StagingConfiguration, commands: Commands
) -> None:
    """How long ago each job was loaded."""
    for standing in _standings(database, configuration):
        limits = configuration.alerts.limits_of(str(standing.place.table))
        judge_standing(verdict, standing, limits, commands.load_staging(str(standing.place.source)))


def usual_pace(database: StagingDatabase, run: Run) -> float | None:
    if run.status != "success" or run.rows_attempted < FEWEST_ROWS:
        return None
    values = {"job_id": run.etl_job_id, "run_id": run.id, "rows": run.rows_attempted, "last": PACE_LOADS}
    with database.rows("usual_pace") as cursor:
        cursor.execute(statement("usual_pace"), values)
        usual = cursor.fetchone()
    return usual["rows_per_second"] if usual and usual["runs"] >= FEWEST_PACE_LOADS else None


def _standings(database: StagingDatabase, configuration: StagingConfiguration) -> list[Standing]:
    """Of the configured jobs."""
    with database.rows("last_successes") as cursor:
        cursor.execute(statement("last_successes"))
        rows = cursor.fetchall()
    return [
        Standing(Place(row["target_table"], source=row["etl_job_id"]), row["last_loaded_at"], row["now"])
        for row in rows
        if row["etl_job_id"] in configuration.jobs
    ]
