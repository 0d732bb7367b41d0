"""In front of all routes: is a request ours to answer, and does a change come from our own page?"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from etl.api.security.cookies import SessionCookie
from etl.api.security.headers import add_headers
from etl.api.security.refusals import RefusedError, answer
from etl.api.security.tokens import Tokens
from etl.config.page import PageSettings

CSRF_HEADER = "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Asked by probes that know only an address; says nothing but that it answers.
_OF_PROBES = "/api/health"
LARGEST_BODY = 256 * 1024
"""The longest request that means anything: a retry that names ten thousand batches."""


class Guard:
    """Asks no database: a forged request costs nothing."""

    def __init__(self, app: ASGIApp, page: PageSettings, tokens: Tokens, cookie: SessionCookie) -> None:
        self._app = app
        self._page = page
        self._tokens = tokens
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        path = scope["path"]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                add_headers(MutableHeaders(scope=message), path, self._page)
            await send(message)

        connection = HTTPConnection(scope)
        try:
            self._check(connection, scope["method"], path)
            receive = await _bounded(connection, receive)
        except RefusedError as refused:
            await answer(connection, refused)(scope, receive, send_with_headers)
            return
        await self._app(scope, receive, send_with_headers)

    def _check(self, connection: HTTPConnection, method: str, path: str) -> None:
        if path != _OF_PROBES:
            self._check_host(connection)
        if method not in _SAFE:
            self._check_origin(connection)
            self._check_token(connection)

    def _check_host(self, connection: HTTPConnection) -> None:
        """A name of somebody else's that leads here (DNS rebinding) makes us a site of theirs."""
        if _host_name(connection.headers.get("host", "")) not in self._page.hosts:
            raise RefusedError(
                421,
                "forged_request",
                "this page does not answer to that name",
                "open it by its own address; page.public_url or page.trusted_hosts in etl.yaml name more",
                reason="unknown host",
            )

    def _check_origin(self, connection: HTTPConnection) -> None:
        """Browsers send both with every change; who sends neither is no browser, and needs the token as well."""
        origin = connection.headers.get("origin")
        if origin is not None and origin not in self._origins(connection):
            raise forged("another origin")
        if connection.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise forged("from another site")

    def _origins(self, connection: HTTPConnection) -> set[str]:
        """The page's own address; where none is configured, the one under which it was asked."""
        if self._page.public_url is not None:
            return {self._page.public_url}
        return {f"{connection.scope['scheme']}://{connection.headers.get('host', '')}".lower()}

    def _check_token(self, connection: HTTPConnection) -> None:
        token = self._cookie.read(connection)
        given = connection.headers.get(CSRF_HEADER)
        if token is None:
            raise forged("no cookie")
        if given is None:
            raise forged(f"no {CSRF_HEADER}")
        if not self._tokens.is_csrf(token, given):
            raise forged(f"a foreign {CSRF_HEADER}")


async def _bounded(connection: HTTPConnection, receive: Receive) -> Receive:
    """A body without a length is read here: what does not end would be kept whole before any route is asked."""
    length = connection.headers.get("content-length")
    if length is not None and int(length) > LARGEST_BODY:
        raise _too_large()
    if "transfer-encoding" not in connection.headers:
        return receive
    body, is_more = b"", True
    while is_more:
        message = await receive()
        if message["type"] != "http.request":
            return _first(message, receive)
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            raise _too_large()
        is_more = message.get("more_body", False)
    return _first({"type": "http.request", "body": body, "more_body": False}, receive)


def _first(message: Message, receive: Receive) -> Receive:
    left = [message]

    async def received() -> Message:
        return left.pop() if left else await receive()

    return received


def _too_large() -> RefusedError:
    detail = f"the request's body is larger than {LARGEST_BODY // 1024} KiB"
    return RefusedError(413, "too_large", detail, "name fewer batches at a time")


def forged(reason: str) -> RefusedError:
    return RefusedError(
        403,
        "forged_request",
        "this request does not come from the page",
        f"load the page again; programs send its cookie and the header {CSRF_HEADER}, both from GET /api/session",
        reason=reason,
    )


def _host_name(host: str) -> str:
    """Without the port, lower-case, IPv6 in brackets; empty where it cannot be read."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name
