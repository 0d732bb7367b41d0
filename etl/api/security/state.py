"""What the page's security consists of, for whoever has a request."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import Request

from etl.api.security.attempts import SignInAttempts
from etl.api.security.cookies import SessionCookie
from etl.api.security.sessions import Sessions
from etl.api.security.tokens import Tokens
from etl.api.security.users import Users
from etl.config.page import PageSettings
from etl.staging.database.database import StagingDatabase


@dataclass(frozen=True)
class Security:
    page: PageSettings
    users: Users
    sessions: Sessions
    tokens: Tokens
    cookie: SessionCookie
    attempts: SignInAttempts

    @classmethod
    def of(cls, page: PageSettings, database: StagingDatabase) -> Security:
        tokens = Tokens(page.secret.get_secret_value() if page.secret else "")
        sessions = Sessions(database, tokens, page)
        return cls(page, Users(database), sessions, tokens, SessionCookie.of(page), SignInAttempts())


def security_of(request: Request) -> Security:
    security: Security = request.app.state.security
    return security
