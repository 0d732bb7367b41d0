"""How an app gets its security. Read this first.

request → Guard (its Host; of changes also Origin and the token against forged requests; headers of the answer)
        → dependencies.viewer | operator (the session behind the cookie, its role)
        → the route
"""

from __future__ import annotations

from fastapi import FastAPI

from etl.api.security import oidc
from etl.api.security.guard import Guard
from etl.api.security.refusals import RefusedError, handle
from etl.api.security.state import Security
from etl.config.page import PageSettings
from etl.staging.database.database import StagingDatabase


def secure(app: FastAPI, page: PageSettings, database: StagingDatabase) -> None:
    """Called last: what is added to an app later stands in front of what was before."""
    security = Security.of(page, database)
    app.state.security = security
    app.add_exception_handler(RefusedError, handle)
    oidc.install(app, page)
    app.add_middleware(Guard, page=page, tokens=security.tokens, cookie=security.cookie)
