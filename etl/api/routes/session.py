"""Who is signed in."""

from __future__ import annotations

from fastapi import APIRouter, Response

from etl.api.models import Session, SignIn
from etl.api.routes.access import Viewer

router = APIRouter(tags=["session"])


@router.get("/session")
def get_session(user: Viewer) -> Session:
    """Whether somebody is signed in, and how one can."""
    return Session(user=user, csrf_token="", has_passwords=False, single_sign_on=None)


@router.post("/session")
def sign_in(_: SignIn, user: Viewer) -> Session:
    """Begins a session: sets its cookie."""
    return Session(user=user, csrf_token="", has_passwords=False, single_sign_on=None)


@router.delete("/session", status_code=204)
def sign_out() -> Response:
    """Ends it."""
    return Response(status_code=204)
