"""A page with two users over a ledger of its own, and browsers that sign in to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from argon2 import PasswordHasher
from fastapi import APIRouter, FastAPI
from fastapi.testclient import TestClient
from httpx2 import Response
from pydantic import SecretStr

from etl.api import problems
from etl.api.models import Role
from etl.api.routes.access import Operator, Viewer
from etl.api.security import passwords
from etl.api.security.gate import secure
from etl.api.security.routes import router as session_router
from etl.api.security.sessions import signature_of
from etl.api.security.users import Users
from etl.config.page import PageSettings
from etl.config.settings import PostgreSQLSettings
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install_ledger
from tests.databases import Execute, database_of_its_own, statements_of

if TYPE_CHECKING:
    from tests.conftest import RunningStack

CHEAP = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)
PASSWORDS = {"vera": "looks on all day long", "otto": "starts and cancels loads"}
ADDRESS = "http://127.0.0.1:8400"


@dataclass
class Browser:
    """As a browser does: keeps cookies, says where a request comes from; `csrf` is what the page got to know."""

    client: TestClient
    csrf: str = ""
    headers: dict[str, str] = field(default_factory=dict)

    def get_session(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.client.get("/api/session").json()
        self.csrf = answer["csrf_token"]
        return answer

    def sign_in(self, name: str, password: str | None = None) -> Response:
        if not self.csrf:
            self.get_session()
        answer = self.send("POST", "/api/session", json={"name": name, "password": password or PASSWORDS[name]})
        if answer.is_success:
            self.csrf = answer.json()["csrf_token"]
        return answer

    def send(self, method: str, path: str, *, headers: dict[str, str] | None = None, json: Any = None) -> Response:
        own = {"Origin": str(self.client.base_url), "Sec-Fetch-Site": "same-origin", "X-CSRF-Token": self.csrf}
        given = {**own, **self.headers, **(headers or {})}
        return self.client.request(method, path, headers={k: v for k, v in given.items() if v is not None}, json=json)


@pytest.fixture(scope="session")
def page_server(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.postgresql, "page_security_test") as settings:
        with closing(StagingDatabase(settings)) as database:
            install_ledger(database)
        yield settings


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash that is worth its name takes a tenth of a second and 64 MiB."""
    monkeypatch.setattr(passwords, "_HASHER", CHEAP)
    monkeypatch.setattr(passwords, "_OF_NOBODY", CHEAP.hash("of nobody"))


@pytest.fixture
def execute(page_server: PostgreSQLSettings) -> Iterator[Execute]:
    with statements_of(page_server) as execute:
        yield execute


@pytest.fixture
def database(page_server: PostgreSQLSettings, execute: Execute) -> Iterator[StagingDatabase]:
    execute("TRUNCATE etl_users, etl_sessions, etl_user_events")
    with closing(StagingDatabase(page_server)) as database:
        yield database


@pytest.fixture
def users(database: StagingDatabase) -> Users:
    users = Users(database, done_by="the test")
    users.add("vera", Role.VIEWER, PASSWORDS["vera"])
    users.add("otto", Role.OPERATOR, PASSWORDS["otto"])
    return users


@pytest.fixture
def page() -> PageSettings:
    return PageSettings(secret=SecretStr("a secret of more than thirty-two characters"))


def app_of(page: PageSettings, database: StagingDatabase) -> FastAPI:
    """The gate as the page has it, before two routes that say who asked."""
    app = FastAPI(openapi_url=None)
    router = APIRouter(prefix="/api")

    @router.get("/looked")
    def looked(user: Viewer) -> str:
        return user.name

    @router.post("/started")
    def started(user: Operator) -> str:
        return signature_of(user)

    router.include_router(session_router)
    app.include_router(router)
    problems.install(app)
    secure(app, page, database)
    return app


@pytest.fixture
def app(page: PageSettings, database: StagingDatabase, users: Users) -> FastAPI:
    return app_of(page, database)


@pytest.fixture
def browser(app: FastAPI) -> Browser:
    return Browser(TestClient(app, ADDRESS))


@pytest.fixture
def other_browser(app: FastAPI) -> Browser:
    return Browser(TestClient(app, ADDRESS))
