"""Signing in and out; sessions that end, that are of somebody else, that the database alone does not let one make."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters
from fastapi import FastAPI
from fastapi.testclient import TestClient
from pydantic import SecretStr

from etl.api.models import Role
from etl.api.security.users import Users
from etl.config.page import PageSettings
from etl.staging.database.database import StagingDatabase
from tests.databases import Execute
from tests.integration.api.security.conftest import ADDRESS, PASSWORDS, Browser, app_of

pytestmark = pytest.mark.stack


def test_who_is_not_signed_in_sees_nothing(browser: Browser) -> None:
    assert browser.get_session()["user"] is None
    answer = browser.client.get("/api/looked")
    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
    assert browser.send("POST", "/api/started").status_code == 401


def test_signed_in_and_out(browser: Browser, execute: Execute) -> None:
    answer = browser.sign_in("otto")
    assert answer.json()["user"] == {"name": "otto", "role": "operator"}
    assert browser.client.get("/api/looked").json() == "otto"
    assert browser.send("POST", "/api/started").json() == "otto"
    assert browser.get_session()["user"]["name"] == "otto"
    cookies = dict(browser.client.cookies)
    assert browser.send("DELETE", "/api/session").status_code == 204
    browser.client.cookies.update(cookies)  # whoever has kept it
    assert browser.client.get("/api/looked").status_code == 401
    events = execute("SELECT event, etl_user, address, done_by FROM etl_user_events ORDER BY id")
    assert events == [
        ("user_added", "vera", None, "the test"),
        ("user_added", "otto", None, "the test"),
        ("signed_in", "otto", "testclient", None),
        ("signed_out", "otto", "testclient", None),
    ]


def test_a_viewer_starts_nothing(browser: Browser) -> None:
    browser.sign_in("vera")
    assert browser.client.get("/api/looked").json() == "vera"
    answer = browser.send("POST", "/api/started")
    assert (answer.status_code, answer.json()["code"]) == (403, "no_permission")


def test_the_cookie(browser: Browser) -> None:
    written = browser.sign_in("otto").headers["Set-Cookie"]
    assert re.fullmatch(r"etl_session_8400=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict", written), (
        written
    )


def test_behind_tls_the_cookie_is_of_this_host_and_of_tls_alone(database: StagingDatabase, users: Users) -> None:
    page = PageSettings(public_url="https://etl.example.com", secret=SecretStr("s" * 40))
    browser = Browser(TestClient(app_of(page, database), "https://etl.example.com"))
    answer = browser.sign_in("otto")
    assert re.fullmatch(
        r"__Host-etl_session=[\w-]{43}; HttpOnly; Max-Age=43200; Path=/; SameSite=strict; Secure",
        answer.headers["Set-Cookie"],
    )
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert browser.send("POST", "/api/started").json() == "otto"


def test_every_sign_in_has_a_cookie_of_its_own(browser: Browser, execute: Execute) -> None:
    """Also where the browser came with one: whoever planted that has nothing of the session."""
    browser.get_session()
    planted = dict(browser.client.cookies)
    browser.sign_in("vera")
    first = dict(browser.client.cookies)
    assert first != planted
    browser.sign_in("otto")
    for old in (planted, first):
        browser.client.cookies.clear()
        browser.client.cookies.update(old)
        assert browser.client.get("/api/looked").status_code == 401
    assert execute("SELECT name FROM etl_sessions") == [("otto",)]


def test_the_database_holds_no_token(browser: Browser, execute: Execute) -> None:
    browser.sign_in("otto")
    (token,) = browser.client.cookies.values()
    ((kept,),) = execute("SELECT etl_sessions::text FROM etl_sessions")
    assert token not in kept
    assert token.encode().hex() not in kept
    assert browser.csrf not in kept


def test_two_processes_know_one_session(
    browser: Browser, page: PageSettings, database: StagingDatabase, users: Users
) -> None:
    browser.sign_in("otto")
    second = TestClient(app_of(page, database), ADDRESS, cookies=dict(browser.client.cookies))
    assert second.get("/api/looked").json() == "otto"
    assert second.post("/api/started", headers={"X-CSRF-Token": browser.csrf}).json() == "otto"


def test_under_another_secret_no_session_is_known(browser: Browser, database: StagingDatabase, users: Users) -> None:
    browser.sign_in("otto")
    another = app_of(PageSettings(secret=SecretStr("another secret of thirty-two characters")), database)
    client = TestClient(another, ADDRESS, cookies=dict(browser.client.cookies))
    assert client.get("/api/looked").status_code == 401
    assert client.post("/api/started", headers={"X-CSRF-Token": browser.csrf}).json()["code"] == "forged_request"


@pytest.mark.parametrize(
    ("column", "age"), [("expires_at", timedelta(hours=12, seconds=1)), ("seen_at", timedelta(minutes=61))]
)
def test_a_session_ends_by_its_age_and_by_idleness(
    browser: Browser, execute: Execute, column: str, age: timedelta
) -> None:
    browser.sign_in("otto")
    execute(f"UPDATE etl_sessions SET {column} = {column} - interval '{age.total_seconds() - 120} s'")
    assert browser.client.get("/api/looked").status_code == 200
    execute(f"UPDATE etl_sessions SET {column} = {column} - interval '{age.total_seconds()} s'")
    assert browser.client.get("/api/looked").json()["code"] == "not_signed_in"
    assert browser.get_session()["user"] is None


def test_use_keeps_a_session_alive_and_is_written_once_a_minute(browser: Browser, execute: Execute) -> None:
    browser.sign_in("otto")
    at_first = execute("SELECT seen_at FROM etl_sessions")
    browser.client.get("/api/looked")
    assert execute("SELECT seen_at FROM etl_sessions") == at_first
    execute("UPDATE etl_sessions SET seen_at = seen_at - interval '59 minutes'")
    assert browser.client.get("/api/looked").status_code == 200
    assert execute("SELECT seen_at > clock_timestamp() - interval '1 minute' FROM etl_sessions") == [(True,)]


@pytest.mark.parametrize("headers", [{"X-Unattended": "1"}, {"Accept": "text/event-stream"}])
def test_what_the_page_asks_by_itself_keeps_no_session_alive(
    browser: Browser, execute: Execute, headers: dict[str, str]
) -> None:
    browser.sign_in("otto")
    execute("UPDATE etl_sessions SET seen_at = seen_at - interval '59 minutes'")
    assert browser.client.get("/api/looked", headers=headers).status_code == 200
    execute("UPDATE etl_sessions SET seen_at = seen_at - interval '2 minutes'")
    assert browser.client.get("/api/looked", headers=headers).json()["code"] == "not_signed_in"


def test_what_is_done_to_a_user_counts_at_once(browser: Browser, users: Users) -> None:
    browser.sign_in("otto")
    users.set_role("otto", Role.VIEWER)
    assert browser.send("POST", "/api/started").json()["code"] == "no_permission"
    users.set_role("otto", Role.OPERATOR)
    assert browser.send("POST", "/api/started").status_code == 200
    users.set_password("otto", "a new one, and longer")
    assert browser.client.get("/api/looked").status_code == 401
    assert browser.sign_in("otto").status_code == 401
    assert browser.sign_in("otto", "a new one, and longer").status_code == 200
    users.remove("otto")
    assert browser.client.get("/api/looked").status_code == 401


@pytest.mark.parametrize("name", ["otto", "nobody", "with\x00nul", "x" * 201, "' OR 1=1 --"])
def test_a_wrong_name_and_a_wrong_password_are_answered_alike(browser: Browser, name: str) -> None:
    answer = browser.sign_in(name, "not the right one")
    expected = (422, "invalid") if len(name) > 200 else (401, "bad_credentials")
    assert (answer.status_code, answer.json()["code"]) == expected
    assert "not the right one" not in answer.text


def test_an_unknown_user_is_checked_against_a_hash_of_the_same_cost(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = []
    verify = PasswordHasher.verify

    def seen(self: PasswordHasher, password_hash: str, password: str) -> bool:
        checked.append(extract_parameters(password_hash))
        return verify(self, password_hash, password)

    monkeypatch.setattr(PasswordHasher, "verify", seen)
    for name in ("otto", "nobody"):
        assert browser.sign_in(name, "not the right one").status_code == 401
    assert len(checked) == 2
    assert checked[0] == checked[1]


def test_what_was_typed_as_a_name_is_not_kept(browser: Browser, execute: Execute) -> None:
    browser.sign_in("hunter2-hunter2", "a password typed into the wrong box")
    browser.sign_in("otto", "not the right one")
    refused = execute("SELECT etl_user FROM etl_user_events WHERE event = 'sign_in_refused' ORDER BY id")
    assert refused == [(None,), ("otto",)]


def test_too_many_attempts_are_refused_and_the_right_password_forgives(browser: Browser) -> None:
    for _ in range(4):
        browser.sign_in("otto", "not the right one")
    assert browser.sign_in("otto").status_code == 200
    for _ in range(5):
        assert browser.sign_in("vera", "not the right one").status_code == 401
    answer = browser.sign_in("vera")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_attempts")
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert browser.sign_in("otto").status_code == 200


def test_one_address_does_not_try_all_names(app: FastAPI) -> None:
    codes = []
    for number in range(21):
        codes.append(Browser(TestClient(app, ADDRESS)).sign_in(f"user{number}", "not the right one").status_code)
    assert codes == [401] * 20 + [429]
    other = Browser(TestClient(app, ADDRESS, client=("192.0.2.7", 1)))
    assert other.sign_in("otto").status_code == 200


def test_a_hash_of_weaker_parameters_is_renewed(browser: Browser, execute: Execute) -> None:
    weaker = PasswordHasher(time_cost=1, memory_cost=512, parallelism=1).hash(PASSWORDS["otto"])
    execute("UPDATE etl_users SET password_hash = %s WHERE name = 'otto'", [weaker])
    assert browser.sign_in("otto").status_code == 200
    ((renewed,),) = execute("SELECT password_hash FROM etl_users WHERE name = 'otto'")
    assert "m=1024,t=1" in renewed
    assert browser.client.get("/api/looked").status_code == 200
    assert browser.sign_in("otto").status_code == 200


def test_without_sign_in_whoever_is_here_is_an_operator(database: StagingDatabase) -> None:
    browser = Browser(TestClient(app_of(PageSettings(sign_in=False), database), ADDRESS))
    session = browser.get_session()
    assert session["user"]["role"] == "operator"
    assert not session["has_passwords"]
    assert browser.send("POST", "/api/started").json() == session["user"]["name"]
    assert browser.client.post("/api/started").json()["code"] == "forged_request"
