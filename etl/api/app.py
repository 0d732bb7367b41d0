"""The app: routes under /api, the built page under everything else. Read this first.

    browser → security/ (who may ask what: gate.py)
            → routes/ (thin, typed) → reading/ (one snapshot of the ledger → models) → staging database
                                    → live/ (one poll a watched run → all its streams)
                                    → the ledger's requests (start, retry, cancel), which a worker takes up

Nothing is loaded here: closing or killing this process stops no run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute

from etl import __version__
from etl.api import problems, static
from etl.api.openapi import document_of
from etl.api.packing import PackedJson
from etl.api.routes import downloads, health, jobs, live, runs, workers
from etl.api.security import routes as session
from etl.api.security.gate import secure
from etl.api.services import Services

ROUTERS = (health.router, session.router, jobs.router, runs.router, live.router, downloads.router, workers.router)


def create_app(services: Services | None = None) -> FastAPI:
    """Without services only its document is any good."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.services = services
        if services is None:
            yield
            return
        with services.burials:
            yield
        services.close()

    app = FastAPI(
        title="ownlens-etl Data Loader",
        description="Configure, start, watch and mend staging loads.",
        version=__version__,
        lifespan=lifespan,
        generate_unique_id_function=_name,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
        redirect_slashes=False,
    )
    api = APIRouter(prefix="/api")
    for router in ROUTERS:
        api.include_router(router)
    app.include_router(api)
    static.install(app)
    problems.install(app)
    app.add_middleware(PackedJson)
    if services is not None:
        secure(app, services.page, services.database)
    app.openapi = lambda: _document(app)  # type: ignore[method-assign]
    return app


def _document(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        app.openapi_schema = document_of(app)
    return app.openapi_schema


def _name(route: APIRoute) -> str:
    """Functions are named once in all routes: so are the client's."""
    return route.name
