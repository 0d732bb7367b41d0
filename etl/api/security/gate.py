"""What the page's security consists of, and how an app gets it. Read this first.

request → Guard (its Host; of changes also Origin and the token against forged requests; headers of the answer)
        → dependencies.viewer | operator (the session behind the cookie, its role)
        → the route
"""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import FastAPI

from etl.api.security.attempts import SignInAttempts
from etl.api.security.cookies import SessionCookie
from etl.api.security.guard import Guard
from etl.api.security.refusals import RefusedError, handle
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


def secure(app: FastAPI, page: PageSettings, database: StagingDatabase) -> None:
    """Called last: what is added to an app later stands in front of what was before."""
    security = Security.of(page, database)
    app.state.security = security
    app.add_exception_handler(RefusedError, handle)
    app.add_middleware(Guard, page=page, tokens=security.tokens, cookie=security.cookie)
