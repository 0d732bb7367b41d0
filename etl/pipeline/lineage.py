"""Tells an OpenLineage server of a finished run, where one is named. Its client is imported only then."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from etl.config.settings import Settings
from etl.ledger.values import LoadRecord
from etl.pipeline.context import Job
from etl.report.values import RunReport


def require_lineage(settings: Settings) -> None:
    """UsageError where the client cannot be used as it is configured; before the run, not after it."""
    if settings.lineage is not None:
        from etl.report.lineage.sending import open_client

        open_client()


def tell_lineage(job: Job, report: RunReport, records: Sequence[LoadRecord]) -> None:
    """Waits a limited time, and fails no run."""
    lineage, options = job.settings.lineage, job.options
    if lineage is None:
        return
    from etl.report.lineage.events import RunLineage
    from etl.report.lineage.sending import send

    run = partial(RunLineage, lineage, job.configuration, report, since=options.since, until=options.until)
    send(lambda: run(broken=tuple(job.ledger.rejected_by_rule(report.run_id))).events(records))
