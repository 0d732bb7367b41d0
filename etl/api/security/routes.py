"""Signing in and out."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from etl.api.models import Session, SignIn, SingleSignOn, User
from etl.api.security import oidc
from etl.api.security.dependencies import signed_in
from etl.api.security.passwords import is_outdated, is_right
from etl.api.security.refusals import RefusedError, address_of
from etl.api.security.state import Security, security_of
from etl.api.security.tokens import new_token

router = APIRouter(tags=["session"])
router.include_router(oidc.router)


@router.get("/session")
def get_session(request: Request, response: Response) -> Session:
    """Who is signed in, if anybody, and how one can; with the token that changes need."""
    security = security_of(request)
    token = security.cookie.read(request)
    if token is None:
        token = new_token()
        security.cookie.write(response, token)
    return _session(security, token, signed_in(request))


@router.post("/session")
def sign_in(asked: SignIn, request: Request, response: Response) -> Session:
    """Begins a session under a new cookie."""
    security = security_of(request)
    token, user = _sign_in(security, asked, address_of(request), security.cookie.read(request))
    security.cookie.write(response, token)
    return _session(security, token, user)


@router.delete("/session", status_code=204)
def sign_out(request: Request) -> Response:
    """Ends it, for all who have its cookie."""
    security = security_of(request)
    if token := security.cookie.read(request):
        security.sessions.end(token, address_of(request))
    response = Response(status_code=204)
    security.cookie.clear(response)
    return response


def _sign_in(security: Security, asked: SignIn, address: str, old_token: str | None) -> tuple[str, User]:
    with security.attempts.one(asked.name, address) as attempt:
        credential = security.users.find(asked.name)
        attempt.is_right = is_right(asked.password, credential.password_hash if credential else None)
    token = None
    if credential is not None and attempt.is_right:
        token = security.sessions.start(credential, address, old_token)
    if credential is None or token is None:
        security.sessions.record_refusal(credential.name if credential else None, address, "bad_credentials")
        raise RefusedError(
            401,
            "bad_credentials",
            "no user has this name and this password",
            "try again; `etl api user password NAME` sets another one",
        )
    if is_outdated(credential.password_hash):
        security.users.rehash(credential, asked.password)
    return token, User(name=credential.name, role=credential.role)


def _session(security: Security, token: str, user: User | None) -> Session:
    provider = security.page.oidc
    return Session(
        user=user,
        csrf_token=security.tokens.csrf(token),
        has_passwords=security.page.sign_in and (provider is None or security.users.are_any()),
        single_sign_on=SingleSignOn(name=provider.name, url=f"/api{oidc.START}") if provider else None,
    )
