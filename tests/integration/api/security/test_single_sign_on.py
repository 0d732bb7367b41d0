"""Sign-in at a real OpenID provider, a process of its own."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from urllib.request import urlopen

import httpx2
import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from etl.api.models import Role
from etl.api.security.users import Users
from etl.config.page import OidcRoles, OidcSettings, PageSettings
from etl.project import PROJECT_DIR
from etl.staging.database.database import StagingDatabase
from tests.databases import Execute
from tests.integration.api.security.conftest import ADDRESS, Browser, app_of
from tests.openid_provider import CLIENT_ID, CLIENT_SECRET

pytestmark = pytest.mark.stack

ADA = {"sub": "1", "email": "ada@example.com", "email_verified": True, "groups": ["staff", "etl-operators"]}


@dataclass
class Provider:
    issuer: str
    claims_file: Path

    def say(self, **claims: Any) -> None:
        """Who signs in next."""
        self.claims_file.write_text(json.dumps({**ADA, **claims}))

    def settings(self, issuer: str | None = None, **changed: Any) -> PageSettings:
        roles = OidcRoles(operator=("etl-operators",), viewer=("staff",))
        oidc = OidcSettings(
            issuer=issuer or self.issuer,
            client_id=CLIENT_ID,
            client_secret=SecretStr(CLIENT_SECRET),
            roles=changed.pop("roles", roles),
            **changed,
        )
        return PageSettings(secret=SecretStr("s" * 40), oidc=oidc)


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provider]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    claims_file = tmp_path_factory.mktemp("provider") / "claims.json"
    claims_file.write_text(json.dumps(ADA))
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.openid_provider", str(port), str(claims_file)], cwd=PROJECT_DIR
    )
    try:
        found = Provider(f"http://127.0.0.1:{port}", claims_file)
        _wait_for(f"{found.issuer}/keys", process)
        yield found
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def browser(provider: Provider, database: StagingDatabase) -> Browser:
    provider.say()
    return Browser(TestClient(app_of(provider.settings(), database), ADDRESS, follow_redirects=False))


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None
        try:
            urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(url)


def go_there(browser: Browser, start: str = "/api/session/sso/start") -> tuple[str, str]:
    """To the provider; where it sends the browser back to, and what it was asked."""
    sent = browser.client.get(start)
    assert sent.status_code == 302, sent.text
    return httpx2.get(sent.headers["Location"]).headers["Location"], sent.headers["Location"]


def test_the_page_says_where_to_go(browser: Browser, database: StagingDatabase) -> None:
    session = browser.get_session()
    assert session["single_sign_on"] == {"name": "Single sign-on", "url": "/api/session/sso/start"}
    assert not session["has_passwords"], "nobody has one"
    Users(database).add("ada@example.com", Role.VIEWER, "a good long password")
    assert browser.get_session()["has_passwords"]


def test_there_and_back(browser: Browser, execute: Execute, provider: Provider) -> None:
    browser.get_session()
    before = dict(browser.client.cookies)
    back, asked = go_there(browser, "/api/session/sso/start?next=/etl/data-loader/orders/run-1%3Ftab%3Dbatches")
    parameters = parse_qs(urlsplit(asked).query)
    assert parameters["redirect_uri"] == [f"{ADDRESS}/api/session/sso/callback"]
    assert parameters["code_challenge_method"] == ["S256"]
    assert {"state", "nonce", "code_challenge"} <= set(parameters)
    answer = browser.client.get(back)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/etl/data-loader/orders/run-1?tab=batches")
    assert browser.client.cookies["etl_session_8400"] != before["etl_session_8400"]
    session = browser.get_session()
    assert session["user"] == {"name": "ada@example.com", "role": "operator"}
    assert browser.send("POST", "/api/started").json() == f"ada@example.com ({provider.issuer})"
    assert execute("SELECT event, etl_user, detail FROM etl_user_events") == [
        ("signed_in", "ada@example.com", provider.issuer)
    ]
    browser.send("DELETE", "/api/session")
    assert browser.get_session()["user"] is None


def test_the_cookie_on_the_way_comes_back_from_another_site_and_ends_soon(browser: Browser) -> None:
    written = browser.client.get("/api/session/sso/start").headers["Set-Cookie"]
    assert re.fullmatch(r"etl_sso_8400=[^;]+; path=/; Max-Age=600; httponly; samesite=lax", written), written


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["staff"]}, "viewer"),
        ({"groups": "etl-operators"}, "operator"),
        ({"groups": ["others"]}, None),
        ({"groups": None}, None),
        ({"groups": [{"name": "etl-operators"}]}, None),
        ({"email": None}, None),
        ({"email": ""}, None),
        ({"email_verified": False}, None),
        ({"email_verified": None}, None),
        ({"email_verified": "true"}, "operator"),
    ],
)
def test_roles_come_from_a_claim(browser: Browser, provider: Provider, claims: dict[str, Any], role: str) -> None:
    provider.say(**claims)
    answer = browser.client.get(go_there(browser)[0])
    user = browser.get_session()["user"]
    assert (user and user["role"]) == role
    assert answer.status_code == (303 if role else 403)


def test_a_provider_that_says_nothing_of_addresses_is_trusted_where_told(
    provider: Provider, database: StagingDatabase
) -> None:
    provider.say(email_verified=None)
    page = provider.settings(trusts_unverified_email=True)
    browser = Browser(TestClient(app_of(page, database), ADDRESS, follow_redirects=False))
    browser.client.get(go_there(browser)[0])
    assert browser.get_session()["user"] == {"name": "ada@example.com", "role": "operator"}


def test_everybody_may_look_where_the_configuration_says_so(provider: Provider, database: StagingDatabase) -> None:
    provider.say(groups=[])
    page = provider.settings(roles=OidcRoles(viewer=("*",)))
    browser = Browser(TestClient(app_of(page, database), ADDRESS, follow_redirects=False))
    browser.client.get(go_there(browser)[0])
    assert browser.get_session()["user"]["role"] == "viewer"


@pytest.mark.parametrize(
    "claims",
    [{"is_forged": True}, {"iss": "https://another.example.com"}, {"nonce": "another"}],
    ids=["signed by somebody else", "of another provider", "of another sign-in"],
)
def test_a_token_that_is_not_for_this_sign_in(
    browser: Browser, provider: Provider, execute: Execute, claims: dict[str, Any]
) -> None:
    provider.say(**claims)
    answer = browser.client.get(go_there(browser)[0])
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "text/plain; charset=utf-8")
    assert browser.get_session()["user"] is None
    assert execute("SELECT event, etl_user FROM etl_user_events") == [("sign_in_refused", None)]


def test_a_way_back_that_another_browser_began(browser: Browser, provider: Provider, database: StagingDatabase) -> None:
    """As when a forger sends somebody a link into an account of his own."""
    back, _ = go_there(browser)
    other = Browser(TestClient(app_of(provider.settings(), database), ADDRESS, follow_redirects=False))
    assert other.client.get(back).status_code == 403
    go_there(other)
    assert other.client.get(back).status_code == 403
    assert other.get_session()["user"] is None


def test_a_way_back_is_gone_once(browser: Browser) -> None:
    back, _ = go_there(browser)
    assert browser.client.get(back).status_code == 303
    assert browser.client.get(back).status_code == 403


@pytest.mark.parametrize(
    "target", ["https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "/api/session", "/etl/\\x"]
)
def test_it_leads_to_the_page_alone(browser: Browser, target: str) -> None:
    sent = browser.client.get("/api/session/sso/start", params={"next": target})
    back = httpx2.get(sent.headers["Location"]).headers["Location"]
    assert browser.client.get(back).headers["Location"] == "/etl/data-loader"


def test_a_provider_that_is_away_or_another(provider: Provider, database: StagingDatabase) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    for issuer in (nobody, provider.issuer.replace("127.0.0.1", "localhost")):
        client = TestClient(app_of(provider.settings(issuer), database), ADDRESS, follow_redirects=False)
        answer = client.get("/api/session/sso/start")
        assert answer.status_code == 502
        assert "the provider" in answer.text


def test_without_a_provider_there_is_no_way(database: StagingDatabase) -> None:
    client = TestClient(app_of(PageSettings(), database), ADDRESS, follow_redirects=False)
    assert client.get("/api/session").json()["single_sign_on"] is None
    assert client.get("/api/session/sso/start").status_code == 404
    assert client.get("/api/session/sso/callback").status_code == 404
