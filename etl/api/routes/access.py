"""Who may ask, and what a route is given to answer with."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Header, Path, Query, Request

from etl.api.models import RUN_ID, User
from etl.api.security.dependencies import operator, viewer
from etl.api.services import Services

JOB_ID = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,199}$"

LARGEST_BIGINT = 9_223_372_036_854_775_807
LARGEST_INTEGER = 2_147_483_647


def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Asked = Annotated[Services, Depends(_services)]
Viewer = Annotated[User, Depends(viewer)]
Operator = Annotated[User, Depends(operator)]

Words = Query(max_length=200, pattern=r"^[^\x00]*$")
"""What is looked for; PostgreSQL holds no NUL."""

JobIdPath = Annotated[str, Path(pattern=JOB_ID)]
RunIdPath = Annotated[str, Path(pattern=RUN_ID)]
IdempotencyKey = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,200}$",
        description="Made by whoever asks, one for each wish: asked twice with one key, it is done once.",
    ),
]
