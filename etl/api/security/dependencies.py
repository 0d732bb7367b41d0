"""Who asks: what every route but health and sign-in depends on."""

from __future__ import annotations

import getpass

from fastapi import Request

from etl.api.models import Role, User
from etl.api.problems import let_in
from etl.api.security.refusals import no_permission, not_signed_in
from etl.api.security.state import security_of

UNATTENDED_HEADER = "X-Unattended"


def signed_in(request: Request) -> User | None:
    """Whoever has a session; where nobody has to sign in, whoever sits at this machine."""
    security = security_of(request)
    if not security.page.sign_in:
        return User(name=getpass.getuser(), role=Role.OPERATOR)
    token = security.cookie.read(request)
    return security.sessions.find(token, is_attended=_is_attended(request)) if token else None


def _is_attended(request: Request) -> bool:
    """What a page asks by itself, with nobody before it, keeps no session alive; nor does a stream."""
    is_stream = request.headers.get("accept", "").startswith("text/event-stream")
    return not is_stream and UNATTENDED_HEADER not in request.headers


def viewer(request: Request) -> User:
    """Anybody with a session. A stream asks again now and then: a session may end while it is open."""
    user = signed_in(request)
    if user is None:
        raise not_signed_in()
    let_in(request)
    return user


def operator(request: Request) -> User:
    """Who may start, retry and cancel."""
    user = viewer(request)
    if user.role is not Role.OPERATOR:
        raise no_permission(user.name)
    return user
