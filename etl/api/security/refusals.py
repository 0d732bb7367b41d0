"""A request that is not let in: an answer with a code, a line in the log, never a secret."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from etl.api.models import Problem
from etl.names import readable

log = structlog.get_logger(__name__)

_TITLES = {401: "Not signed in", 403: "Refused", 421: "Refused", 429: "Too many attempts"}


class RefusedError(Exception):
    """`code` as in Problem; `reason` is for the log alone: what a forger need not know."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        next_step: str | None = None,
        reason: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.next_step = next_step
        self.reason = reason
        self.headers = dict(headers or {})


def not_signed_in() -> RefusedError:
    return RefusedError(401, "not_signed_in", "You are not signed in, or your session has ended.", next_step="Sign in.")


def no_permission(role: str) -> RefusedError:
    return RefusedError(
        403,
        "no_permission",
        f"A {role} may look on; this takes an operator.",
        next_step="Ask whoever runs this page for the role.",
    )


def answer(connection: HTTPConnection, refused: RefusedError) -> Response:
    """The refusal as application/problem+json; logged here, once."""
    log.warning(
        "request refused",
        code=refused.code,
        reason=refused.reason or refused.detail,
        method=connection.scope.get("method"),
        path=readable(connection.scope.get("path", "")),
        address=address_of(connection),
    )
    problem = Problem(
        title=_TITLES[refused.status],
        status=refused.status,
        code=refused.code,
        detail=refused.detail,
        next_step=refused.next_step,
    )
    headers = {"Cache-Control": "no-store", **refused.headers}
    return Response(problem.model_dump_json(), refused.status, headers, media_type="application/problem+json")


async def handle(request: Request, error: Exception) -> Response:
    """For the application's exception handlers."""
    assert isinstance(error, RefusedError)
    return answer(request, error)


def address_of(connection: HTTPConnection) -> str:
    """Whom the request is from, as the server (and the proxies it trusts) say."""
    return connection.client.host if connection.client else "unknown"
