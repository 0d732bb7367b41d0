"""A request that is not let in: an answer with a code, a line in the log, never a secret."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from etl.api.problems import ProblemError
from etl.names import readable

log = structlog.get_logger(__name__)


class RefusedError(ProblemError):
    """`reason` is for the log alone: what a forger need not know."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        next_step: str | None = None,
        *,
        reason: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, code, detail, next_step, headers=headers)
        self.reason = reason or code


def not_signed_in() -> RefusedError:
    return RefusedError(401, "not_signed_in", "you are not signed in, or your session has ended", "sign in")


def no_permission(name: str) -> RefusedError:
    detail = f"{name} may look on; this takes an operator"
    return RefusedError(403, "no_permission", detail, "ask whoever runs this page for the role", reason=f"of {name}")


def answer(connection: HTTPConnection, refused: RefusedError) -> Response:
    """Logs it, once."""
    log.warning(
        "request refused",
        code=refused.problem.code,
        reason=refused.reason,
        method=connection.scope["method"],
        path=readable(connection.scope["path"]),
        address=address_of(connection),
    )
    return refused.response


async def handle(request: Request, error: Exception) -> Response:
    """For the application's exception handlers."""
    if not isinstance(error, RefusedError):
        raise TypeError(type(error).__name__)
    return answer(request, error)


def address_of(connection: HTTPConnection) -> str:
    """Whom the request is from, as the server (and the proxies it trusts) say."""
    return connection.client.host if connection.client else "unknown"
