"""Sign-in at an OpenID provider: by authorization code, with state, nonce and PKCE, which authlib makes and checks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.starlette_client import OAuth
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse, RedirectResponse, Response
from httpx2 import HTTPError
from joserfc.errors import JoseError
from starlette.concurrency import run_in_threadpool
from starlette.middleware.sessions import SessionMiddleware

from etl.api.models import Role, User
from etl.api.security.refusals import address_of
from etl.api.security.state import security_of
from etl.api.static import HOME
from etl.config.page import OidcRoles, OidcSettings, PageSettings

START = "/session/sso/start"
CALLBACK = "/session/sso/callback"

_WAY_SECONDS = 600
"""How long somebody may be at the provider's."""
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
"""None that a token could be signed with by anybody but the provider."""
_OWN_PATH = re.compile(r"/etl/[A-Za-z0-9_/.-]*(?:\?[^\s\\#]*)?")
_EVERYBODY = "*"

log = structlog.get_logger(__name__)


class _RefusedSignIn(Exception):
    """It never leaves here."""

    def __init__(self, status: int, text: str, reason: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.reason = reason


router = APIRouter(include_in_schema=False)
"""Addresses that a browser goes to, not the page's scripts."""


@router.get(START)
async def start_single_sign_on(request: Request, next: str = HOME) -> Response:
    """To the provider, and from there to `next`, a path of the page."""
    try:
        provider = _provider_of(request)
        request.session["next"] = next if _OWN_PATH.fullmatch(next) else HOME
        return await provider.send(request, f"{_own_address(request)}/api{CALLBACK}")
    except _RefusedSignIn as refused:
        return _told(request, refused)


@router.get(CALLBACK)
async def end_single_sign_on(request: Request) -> Response:
    """From the provider, with a code that only we can change into a name."""
    try:
        provider = _provider_of(request)
        user = await provider.user(request)
        return await run_in_threadpool(_let_in, request, user, provider.issuer)
    except _RefusedSignIn as refused:
        record = security_of(request).sessions.record_refusal
        await run_in_threadpool(record, None, address_of(request), refused.reason)
        return _told(request, refused)


def install(app: FastAPI, page: PageSettings) -> None:
    """The provider, where one is configured."""
    app.state.openid_provider = None
    if page.oidc is None or page.secret is None:  # the configuration refuses the one without the other
        return
    app.state.openid_provider = _Provider(page.oidc)
    app.add_middleware(
        _OnItsWay,
        secret_key=page.secret.get_secret_value(),
        session_cookie="__Host-etl_sso" if page.is_secure else f"etl_sso_{page.port}",
        max_age=_WAY_SECONDS,
        # it comes back from another site
        same_site="lax",
        https_only=page.is_secure,
    )


class _OnItsWay(SessionMiddleware):
    """The signed cookie of those who are at the provider's; of no other request."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        is_on_its_way = scope.get("path") in (f"/api{START}", f"/api{CALLBACK}")
        await (super().__call__ if is_on_its_way else self.app)(scope, receive, send)


class _Provider:
    def __init__(self, oidc: OidcSettings) -> None:
        self._oidc = oidc
        self.issuer = oidc.issuer
        secret = oidc.client_secret.get_secret_value() if oidc.client_secret else None
        self._client = OAuth().register(
            "provider",
            client_id=oidc.client_id,
            client_secret=secret,
            server_metadata_url=f"{oidc.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={
                "scope": oidc.scopes,
                "code_challenge_method": "S256",
                "timeout": 10,
                **({} if secret else {"token_endpoint_auth_method": "none"}),
            },
        )

    async def send(self, request: Request, callback: str) -> Response:
        await self._read_metadata()
        answer: Response = await self._client.authorize_redirect(request, callback)
        return answer

    async def user(self, request: Request) -> User:
        """Whom the provider vouches for, with the role that its claim gives."""
        await self._read_metadata()
        try:
            token = await self._client.authorize_access_token(request)
        except (AuthlibBaseError, JoseError, ValueError) as error:
            raise _RefusedSignIn(
                403, "what the provider sent back does not belong to this sign-in; begin again", _said(error)
            ) from error
        except HTTPError as error:
            raise _away(error) from error
        claims = token.get("userinfo")
        if not claims:
            raise _RefusedSignIn(403, "the provider sent no id_token; ask for the scope openid", "no id_token")
        return user_of(claims, self._oidc)

    async def _read_metadata(self) -> None:
        try:
            metadata = await self._client.load_server_metadata()
        except (HTTPError, ValueError) as error:
            raise _away(error) from error
        if str(metadata.get("issuer", "")).rstrip("/") != self._oidc.issuer.rstrip("/"):
            raise _RefusedSignIn(502, "the provider calls itself by another name than page.oidc.issuer", "issuer")
        offered = metadata.get("id_token_signing_alg_values_supported") or ["RS256"]
        metadata["id_token_signing_alg_values_supported"] = [each for each in offered if each in _ALGORITHMS]


def user_of(claims: Mapping[str, Any], oidc: OidcSettings) -> User:
    """Refuses whom neither role's list names."""
    name = claims.get(oidc.user_claim)
    if not isinstance(name, str) or not name.strip():
        raise _RefusedSignIn(
            403, f"the provider says no {oidc.user_claim} of you; page.oidc.user_claim names another", "no name"
        )
    is_verified = claims.get("email_verified") in (True, "true") or oidc.trusts_unverified_email
    if oidc.user_claim == "email" and not is_verified:
        raise _RefusedSignIn(403, "the provider does not say that it has verified your address", "unverified address")
    role = _role_of(claims.get(oidc.roles.claim), oidc.roles)
    if role is None:
        raise _RefusedSignIn(403, f"{name} may not use this page; ask whoever runs it for a role", "no role")
    return User(name=name.strip()[:200], role=role)


def _role_of(said: Any, roles: OidcRoles) -> Role | None:
    values = {said} if isinstance(said, str) else {each for each in said or () if isinstance(each, str)}
    for role, listed in ((Role.OPERATOR, roles.operator), (Role.VIEWER, roles.viewer)):
        if _EVERYBODY in listed or values & {*listed}:
            return role
    return None


def _provider_of(request: Request) -> _Provider:
    provider: _Provider | None = request.app.state.openid_provider
    if provider is None:
        raise _RefusedSignIn(404, "this page knows no provider of single sign-on", "no page.oidc")
    return provider


def _let_in(request: Request, user: User, issuer: str) -> Response:
    security = security_of(request)
    token = security.sessions.start_foreign(user, issuer, address_of(request), security.cookie.read(request))
    target = str(request.session.pop("next", HOME))
    request.session.clear()
    response = RedirectResponse(target, 303)
    security.cookie.write(response, token or "")
    return response


def _own_address(request: Request) -> str:
    """The Guard has looked at the request's Host."""
    return security_of(request).page.public_url or f"{request.url.scheme}://{request.headers['host']}"


def _away(error: Exception) -> _RefusedSignIn:
    text = "the provider of single sign-on does not answer as expected; try again in a moment"
    return _RefusedSignIn(502, text, _said(error))


def _said(error: Exception) -> str:
    """What kind of error; its text may quote a code or a token."""
    return str(getattr(error, "error", "") or type(error).__name__)


def _told(request: Request, refused: _RefusedSignIn) -> Response:
    """For a person whose browser was sent here."""
    log.warning("single sign-on refused", reason=refused.reason, address=address_of(request))
    if "session" in request.scope:
        request.session.clear()
    return PlainTextResponse(f"You could not be signed in: {refused.text}.\n\nThe page: {HOME}\n", refused.status)
