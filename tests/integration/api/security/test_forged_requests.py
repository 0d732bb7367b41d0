"""What other sites make a browser send, and what leads a browser here under another name."""

from __future__ import annotations

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from etl.config.page import PageSettings
from etl.staging.database.database import StagingDatabase
from tests.integration.api.security.conftest import PASSWORDS, Browser, app_of

pytestmark = pytest.mark.stack

FORGED = {
    "no token": {"X-CSRF-Token": None},
    "an empty token": {"X-CSRF-Token": ""},
    "a token of nobody's": {"X-CSRF-Token": "0" * 64},
    "a token that is no ASCII": {"X-CSRF-Token": "é".encode()},
    "another site": {"Origin": "https://evil.example.com"},
    "another port of this machine": {"Origin": "http://127.0.0.1:9999"},
    "another scheme": {"Origin": "https://127.0.0.1:8400"},
    "a name that begins alike": {"Origin": "http://127.0.0.1:8400.evil.example.com"},
    "a sandboxed frame": {"Origin": "null"},
    "sent by another site": {"Sec-Fetch-Site": "cross-site"},
    "sent by another host of the domain": {"Sec-Fetch-Site": "same-site"},
}


@pytest.mark.parametrize("headers", FORGED.values(), ids=FORGED)
def test_a_forged_change_is_refused(browser: Browser, headers: dict[str, str]) -> None:
    browser.sign_in("otto")
    with capture_logs() as lines:
        answer = browser.send("POST", "/api/started", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "forged_request")
    (line,) = [line for line in lines if line["event"] == "request refused"]
    assert line["path"] == "/api/started"
    assert browser.csrf not in str(line)
    assert browser.send("POST", "/api/started").status_code == 200


def test_the_token_of_another_session_is_foreign(browser: Browser, other_browser: Browser) -> None:
    browser.sign_in("otto")
    other_browser.sign_in("vera")
    answer = browser.send("POST", "/api/started", headers={"X-CSRF-Token": other_browser.csrf})
    assert answer.json()["code"] == "forged_request"


def test_a_token_ends_with_its_cookie(browser: Browser) -> None:
    browser.get_session()
    before = browser.csrf
    browser.sign_in("otto")
    assert browser.send("POST", "/api/started", headers={"X-CSRF-Token": before}).json()["code"] == "forged_request"


def test_nobody_is_signed_in_by_another_site(browser: Browser) -> None:
    """As an account of the forger's, under which one would work without noticing."""
    asked = {"name": "otto", "password": PASSWORDS["otto"]}
    assert browser.client.post("/api/session", json=asked).json()["code"] == "forged_request"
    browser.get_session()
    for headers in FORGED.values():
        assert browser.send("POST", "/api/session", headers=headers, json=asked).json()["code"] == "forged_request"
    assert browser.send("POST", "/api/session", json=asked).status_code == 200


def test_nobody_is_signed_out_by_another_site(browser: Browser) -> None:
    browser.sign_in("otto")
    assert browser.client.delete("/api/session").json()["code"] == "forged_request"
    assert browser.client.get("/api/looked").json() == "otto"


@pytest.mark.parametrize(
    "host", ["evil.example.com", "127.0.0.1.evil.example.com", "evil.example.com:8400", "", "[::1", "127.0.0.1@evil"]
)
@pytest.mark.parametrize("path", ["/api/looked", "/api/session", "/", "/etl/data-loader"])
def test_under_another_name_there_is_nothing(browser: Browser, host: str, path: str) -> None:
    browser.sign_in("otto")
    with capture_logs() as lines:
        answer = browser.client.get(path, headers={"Host": host})
    assert (answer.status_code, answer.json()["code"]) == (421, "forged_request")
    assert [line["reason"] for line in lines] == ["unknown host"]


@pytest.mark.parametrize("host", ["127.0.0.1:8400", "localhost:8400", "LOCALHOST", "[::1]:8400"])
def test_the_names_of_this_machine(browser: Browser, host: str) -> None:
    assert browser.client.get("/api/session", headers={"Host": host}).status_code == 200


def test_the_public_address_is_the_only_origin(database: StagingDatabase) -> None:
    page = PageSettings(public_url="https://etl.example.com", sign_in=False, trusted_hosts=("etl.internal",))
    client = TestClient(app_of(page, database), "https://etl.example.com")
    browser = Browser(client)
    browser.get_session()
    assert browser.send("POST", "/api/started").status_code == 200
    inside = browser.send("POST", "/api/started", headers={"Host": "etl.internal", "Origin": "https://etl.internal"})
    assert inside.json()["code"] == "forged_request"
    assert client.get("/api/looked", headers={"Host": "etl.internal"}).status_code == 200


@pytest.mark.parametrize("path", ["/api/looked", "/api/session", "/api/nothing", "/", "/assets/nothing.js"])
def test_headers_of_every_answer(browser: Browser, path: str) -> None:
    headers = browser.client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert policy.startswith("default-src 'none'" if path.startswith("/api") else "default-src 'self'")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert "camera=()" in headers["Permissions-Policy"]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers
    if path.startswith("/api"):
        assert headers["Cache-Control"] == "no-store"
