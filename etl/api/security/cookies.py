"""The session's cookie: no script reads it, no other site sends it, behind TLS no other host of the domain sets it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import HTTPConnection
from starlette.responses import Response

from etl.api.security.tokens import is_token
from etl.config.page import PageSettings


@dataclass(frozen=True)
class SessionCookie:
    name: str
    is_secure: bool
    maximum_age_seconds: int

    @classmethod
    def of(cls, page: PageSettings) -> SessionCookie:
        """Browsers do not tell the ports of a host apart: without TLS the name does."""
        name = "__Host-etl_session" if page.is_secure else f"etl_session_{page.port}"
        return cls(name, page.is_secure, round(page.session_hours * 3600))

    def read(self, connection: HTTPConnection) -> str | None:
        """The token, where there is one of a token's form."""
        token = connection.cookies.get(self.name, "")
        return token if is_token(token) else None

    def write(self, response: Response, token: str) -> None:
        response.set_cookie(
            self.name,
            token,
            max_age=self.maximum_age_seconds,
            path="/",
            secure=self.is_secure,
            httponly=True,
            samesite="strict",
        )

    def clear(self, response: Response) -> None:
        response.delete_cookie(self.name, path="/", secure=self.is_secure, httponly=True, samesite="strict")
