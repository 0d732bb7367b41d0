"""Why what was asked for is refused, in words and, for programs, by a code; nothing has begun."""

from __future__ import annotations

from typing import ClassVar

from etl.errors import TerminalError


class RequestError(TerminalError):
    """`code` as the API's Problem has it. It is kept with the request where run and job are known, and is the answer
    to the same request asked again."""

    code: ClassVar[str]


class UnknownRunError(RequestError):
    code = "unknown_run"


class UnknownJobError(RequestError):
    code = "unknown_job"


class CannotBeStartedError(RequestError):
    """By a worker."""

    code = "cannot_be_started"


class RunIdTakenError(RequestError):
    code = "run_id_taken"


class JobIsRunningError(RequestError):
    """Another run of the job is queued or under way."""

    code = "job_is_running"


class RunIsRunningError(RequestError):
    """This run is queued or under way: it cannot be retried now."""

    code = "run_is_running"


class RunHasEndedError(RequestError):
    """It cannot be cancelled."""

    code = "run_has_ended"


class NothingToRetryError(RequestError):
    code = "nothing_to_retry"


class OvertakenError(RequestError):
    """A later run of the job has stored something since, which a retry of older records must not undo."""

    code = "run_is_overtaken"


class KeyReusedError(RequestError):
    """The idempotency key was that of another request."""

    code = "idempotency_key_reused"


REFUSALS = {
    each.code: each
    for each in (
        UnknownJobError,
        CannotBeStartedError,
        RunIdTakenError,
        JobIsRunningError,
        RunIsRunningError,
        RunHasEndedError,
        NothingToRetryError,
        OvertakenError,
    )
}
"""Those that are kept with a request, by code."""
