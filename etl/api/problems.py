"""Whatever goes wrong becomes application/problem+json (RFC 9457), here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from etl.api.models import Problem
from etl.errors import EtlError, TransientError, UsageError
from etl.redaction import redact
from etl.staging.ledger.refusals import (
    CannotBeStartedError,
    JobIsRunningError,
    KeyReusedError,
    NothingToRetryError,
    OvertakenError,
    RequestError,
    RunHasEndedError,
    RunIdTakenError,
    RunIsRunningError,
    UnknownJobError,
    UnknownRunError,
)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 2
LEFT_OVER = "page"
"""The name of the route that takes what all others leave."""

log = structlog.get_logger(__name__)

_CODES = {
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.BAD_REQUEST: "invalid",
}


_AFTER_REFUSAL = {
    UnknownJobError.code: "configure it in conf/staging",
    CannotBeStartedError.code: "load it from a shell: … | etl staging load",
    UnknownRunError.code: "the job's history has those there are",
    RunIdTakenError.code: "choose another run id",
    JobIsRunningError.code: "wait for its end, or start beside it by `force`",
    RunIsRunningError.code: "wait for its end",
    RunHasEndedError.code: "retry it, where something is left",
    NothingToRetryError.code: "start a new run",
    OvertakenError.code: "start a new run",
    KeyReusedError.code: "make a new key for each wish",
}


class ProblemError(Exception):
    """An answer other than the one that was asked for; a route raises it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        next_step: str | None = None,
        fields: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.problem = Problem(
            title=HTTPStatus(status).phrase,
            status=status,
            code=code,
            detail=detail,
            next_step=next_step,
            fields=dict(fields or {}),
        )
        self.headers = dict(headers or {})

    @property
    def response(self) -> Response:
        body = self.problem.model_dump_json().encode()
        headers = {"Cache-Control": "no-store", **self.headers}
        return Response(body, self.problem.status, headers, MEDIA_TYPE)


def let_in(request: Request) -> None:
    """What goes wrong from here on may be told whoever asks: addresses, and what the database says."""
    request.state.is_let_in = True


def told(request: Request, error: EtlError, to_anybody: str) -> str:
    """Words that are for all who can reach the page; the log has what happened."""
    if getattr(request.state, "is_let_in", False):
        return redact(error.message)
    log.warning("request failed", path=request.url.path, error=redact(error.message))
    return to_anybody


def database_unavailable(detail: str) -> ProblemError:
    return ProblemError(
        503,
        "database_unavailable",
        detail,
        "it is tried again by itself",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
    )


def is_of_api(path: str) -> bool:
    return path == "/api" or path.startswith("/api/")


def no_such_route(request: Request) -> ProblemError:
    """Of the API, where only the page would have taken it."""
    path = request.url.path
    if methods := _methods_at(request):
        headers = {"Allow": ", ".join(methods)}
        return ProblemError(405, "method_not_allowed", f"{request.method} {path}: Method Not Allowed", headers=headers)
    return ProblemError(404, "not_found", f"the API has no {path}", "/api/openapi.json has all that there is")


def install(app: FastAPI) -> None:
    """Every way out of the app that is none of a route's own."""

    @app.exception_handler(ProblemError)
    async def of_a_route(_: Request, error: ProblemError) -> Response:
        return error.response

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        fields = {_place(fault["loc"]): str(fault["msg"]) for fault in error.errors()}
        detail = "; ".join(f"{place}: {message}" for place, message in fields.items())
        return ProblemError(422, "invalid", detail, "correct what is named", fields).response

    @app.exception_handler(HTTPException)
    async def of_the_framework(request: Request, error: HTTPException) -> Response:
        is_left_over = getattr(request.scope.get("route"), "name", "") == LEFT_OVER
        if is_left_over and is_of_api(request.url.path):
            return no_such_route(request).response
        code = _CODES.get(HTTPStatus(error.status_code), "invalid")
        detail = f"{request.method} {request.url.path}: {error.detail}"
        return ProblemError(error.status_code, code, detail, headers=_headers_of(request, error)).response

    @app.exception_handler(RequestError)
    async def refused(_: Request, error: RequestError) -> Response:
        status = HTTPStatus.NOT_FOUND if isinstance(error, UnknownRunError | UnknownJobError) else HTTPStatus.CONFLICT
        return ProblemError(status, error.code, redact(error.message), _AFTER_REFUSAL.get(error.code)).response

    @app.exception_handler(TransientError)
    async def transient(request: Request, error: TransientError) -> Response:
        return database_unavailable(told(request, error, "the page's database does not answer")).response

    @app.exception_handler(EtlError)
    async def of_ours(request: Request, error: EtlError) -> Response:
        detail = told(request, error, "something is wrong with the page or its database")
        if isinstance(error, UsageError):
            return ProblemError(409, "invalid", detail).response
        log.error("request failed", error=redact(error.message))
        return ProblemError(500, "internal", detail, "the log of the API has the details").response

    @app.exception_handler(Exception)
    async def unexpected(_: Request, error: Exception) -> Response:
        log.error("unexpected error", exc_info=error)
        return ProblemError(500, "internal", "something unexpected happened", "the log of the API has it").response


def _headers_of(request: Request, error: HTTPException) -> dict[str, str]:
    """A path's methods are routes of their own, of which the framework names one."""
    headers = dict(error.headers or {})
    if "Allow" in headers and (methods := _methods_at(request)):
        headers["Allow"] = ", ".join(methods)
    return headers


def _methods_at(request: Request) -> list[str]:
    """As the document has them."""
    paths: dict[str, dict[str, Any]] = request.app.openapi()["paths"]
    for template, operations in paths.items():
        if compile_path(template)[0].match(request.url.path):
            return sorted(method.upper() for method in operations)
    return []


def _place(location: Sequence[Any]) -> str:
    """Of a body its field, of anything else its name: `batch_size`, `limit`."""
    return ".".join(str(part) for part in (location[1:] or location))
