"""Whom a run of the main job tells, and of what: at its end, by the ledger; where there is none, as it breaks off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import structlog

from etl.alerts.findings import Finding, Verdict
from etl.alerts.telling import Teller
from etl.config.alerts import AlertKind
from etl.config.configuration import Configuration
from etl.config.servers import secrets_of
from etl.errors import EtlError, NotYetError, UsageError
from etl.interruption import INTERRUPTED
from etl.ledger.ledger import Ledger
from etl.ledger.values import LoadRecord
from etl.model import RunStatus
from etl.pipeline.options import RunOptions
from etl.report.commands import Commands
from etl.report.judging import RUN, judge_dead_run, judge_loads, judge_standings
from etl.report.values import RunReport

log = structlog.get_logger(__name__)


def resume_command(ledger: Ledger, run_id: str) -> str:
    """With the folder of that run's configuration, which need not be this one's."""
    run = ledger.get_run(run_id)
    folder = run.options.get("config_dir") if run else None
    return Commands(Path(folder) if folder else None).resume(run_id)


class RunAlerts:
    """Of one run that loads something; a rehearsal tells nobody."""

    def __init__(self, configuration: Configuration, options: RunOptions) -> None:
        self._configuration = configuration
        self._alerts = configuration.settings.alerts
        self._commands = Commands(options.config_dir)
        self._teller = Teller("main", self._alerts, secrets_of(configuration.settings))
        self._verdict = Verdict()
        self._is_told = options.dry_run or not (options.load or options.resume)

    def of_dead_run(self, run_id: str, next_step: str) -> None:
        judge_dead_run(self._verdict, run_id, next_step)

    def tell(self, ledger: Ledger, report: RunReport, records: Sequence[LoadRecord]) -> None:
        """What was found of a run that has ended. One that somebody ends is told of by whoever did."""
        self._is_told = True
        if INTERRUPTED.is_set() or not self._teller.is_wanted:
            return
        try:
            self._judge(ledger, report, records)
        except EtlError as error:
            log.warning("alerts not told", run_id=report.run_id, error=error.message)
            return
        self._teller.tell(ledger.outbox(), self._verdict, report.run_id)

    @contextmanager
    def of_breaking_off(self) -> Iterator[None]:
        """Told at once where the ledger has not been: it is away, or the run never came to its beginning."""
        try:
            yield
        except (UsageError, NotYetError):
            raise
        except EtlError as error:
            if INTERRUPTED.is_set():
                raise
            self._tell_at_once(f"{type(error).__name__}: {error.message}")
            raise
        self._tell_at_once("how it ended could not be reported; the log has the reason")

    def _judge(self, ledger: Ledger, report: RunReport, records: Sequence[LoadRecord]) -> None:
        run_id, alerts, commands = report.run_id, self._alerts, self._commands
        if report.status is RunStatus.SUCCESS and not self._verdict.found:
            self._verdict.fine.append((AlertKind.FAILURE, RUN))
        judge_loads(self._verdict, run_id, records, ledger.load_paces(run_id), alerts, commands)
        judge_standings(self._verdict, ledger.standings(), self._configuration.enabled_loads, alerts, commands)

    def _tell_at_once(self, found: str) -> None:
        if self._is_told:
            return
        self._is_told = True
        step = self._commands.load("--load")
        self._teller.tell_at_once([Finding(AlertKind.FAILURE, RUN, "the run to be a success", found, step)])
