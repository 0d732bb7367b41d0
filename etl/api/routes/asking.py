"""Starts, retries and cancels, as the ledger keeps them: who asked, from where, and what became of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from etl.api.models import RetryRun, Run, StartRun
from etl.api.reading.runs import get_run
from etl.api.routes.access import Asked, IdempotencyKey, Operator
from etl.api.security.refusals import address_of
from etl.api.security.sessions import signature_of
from etl.staging.ledger.refusals import CannotBeStartedError, UnknownJobError
from etl.staging.ledger.requests import Requests


class Asking:
    """What one operator asks for, by one key. Answers with the run as it stands then."""

    def __init__(self, services: Asked, operator: Operator, idempotency_key: IdempotencyKey, request: Request) -> None:
        self._services = services
        self._requests = Requests(services.database)
        self._by = signature_of(operator)
        self._key, self._origin = idempotency_key, address_of(request)

    def start(self, job_id: str, asked: StartRun) -> Run:
        job = self._services.configured.jobs.get(job_id)
        wish = (asked.etl_run_id, asked.batch_size, asked.force, self._key, self._by, self._origin)
        if job is None:
            self._requests.refuse_load(job_id, UnknownJobError(f"no job {job_id} is configured"), *wish)
        elif job.source.type == "stdin":
            text = f"job {job_id} reads what is piped into it, and nobody pipes anything into a worker's load"
            self._requests.refuse_load(job_id, CannotBeStartedError(text), *wish)
        else:
            self._requests.request_load(job, *wish)
        return get_run(self._services.database, asked.etl_run_id)

    def retry(self, run_id: str, asked: RetryRun) -> Run:
        self._requests.request_retry(
            run_id, asked.batch_indexes, asked.includes_permanent, self._key, self._by, self._origin
        )
        return get_run(self._services.database, run_id)

    def cancel(self, run_id: str) -> Run:
        self._requests.request_cancel(run_id, self._key, self._by, self._origin)
        return get_run(self._services.database, run_id)


ByOperator = Annotated[Asking, Depends()]
