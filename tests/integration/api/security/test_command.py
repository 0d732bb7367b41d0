"""`etl api user …`, and where `etl api` refuses to listen."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from etl.api.__main__ import app
from etl.api.models import Role
from etl.api.security.passwords import is_right
from etl.api.security.serving import check_door
from etl.api.security.users import Users
from etl.config.page import OidcSettings, PageSettings
from etl.config.settings import PostgreSQLSettings
from etl.errors import UsageError
from etl.staging.database.database import StagingDatabase
from tests.databases import Execute

pytestmark = [pytest.mark.stack, pytest.mark.usefixtures("restored_logging")]

KEY = SecretStr("k" * 40)
OPEN = PageSettings(host="0.0.0.0", secret=KEY, public_url="https://etl.example.com")


@pytest.fixture
def environ(page_server: PostgreSQLSettings) -> dict[str, str]:
    url = f"{page_server.user}:{page_server.password.get_secret_value()}@{page_server.host}:{page_server.port}"
    return {"ETL_POSTGRES_URL": f"postgresql://{url}/{page_server.database}", "ETL_STAGING_POSTGRES_URL": ""}


def etl_api(environ: dict[str, str], config_dir: Path, *words: str, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, [*words, "--config-dir", str(config_dir)], input=typed, env=environ)


def test_users_are_added_changed_and_removed(
    environ: dict[str, str], database: StagingDatabase, tmp_path: Path, execute: Execute
) -> None:
    added = etl_api(environ, tmp_path, "user", "add", "ada", "--role", "operator", typed="a good long password\n")
    assert (added.exit_code, added.stdout) == (0, "added ada, operator\n")
    credential = Users(database).find("ada")
    assert credential
    assert credential.role is Role.OPERATOR
    assert is_right("a good long password", credential.password_hash)
    assert etl_api(environ, tmp_path, "user", "role", "ada", "viewer").stdout == "ada is now viewer\n"
    assert "ada" in etl_api(environ, tmp_path, "user", "list").stdout
    assert etl_api(environ, tmp_path, "user", "password", "ada", typed="another good one\n").exit_code == 0
    assert etl_api(environ, tmp_path, "user", "remove", "ada").stdout == "removed ada\n"
    events = execute("SELECT event, done_by IS NOT NULL FROM etl_user_events ORDER BY id")
    assert events == [(each, True) for each in ("user_added", "role_changed", "password_changed", "user_removed")]


@pytest.mark.parametrize(
    ("words", "typed", "told"),
    [
        (("add", "otto"), "a good long password\n", "user 'otto' is there already; `role` and `password` change one"),
        (
            ("add", "two words"),
            "a good long password\n",
            "user 'two words': expected 1 to 200 characters without spaces",
        ),
        (("add", "new"), "short\n", "expected a password of 12 to 1,000 characters, found 5"),
        (("add", "new"), "", "expected a password on stdin, found nothing"),
        (("add", "margarethe"), "margarethe2026\n", "the password holds the user's name; choose another one"),
        (("add", "new"), "aaaaaaaaaaaa\n", "the password has fewer than five different characters; choose another one"),
        (("role", "oto", "viewer"), None, "unknown user 'oto'; did you mean 'otto'?"),
        (("remove", "nobody"), None, "unknown user 'nobody'"),
    ],
)
def test_what_is_refused(
    environ: dict[str, str], users: Users, tmp_path: Path, words: tuple[str, ...], typed: str | None, told: str
) -> None:
    before = users.list()
    done = etl_api(environ, tmp_path, "user", *words, typed=typed)
    assert done.exit_code == 2
    assert told in done.stderr
    assert not typed or typed.strip() not in done.output
    assert users.list() == before


def test_beyond_loopback_with_users_a_secret_and_a_name(database: StagingDatabase, users: Users) -> None:
    check_door(OPEN, database)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"secret": None}, "expected a secret, found none; set ETL_PAGE_SECRET"),
        ({"public_url": None}, "expected the name that browsers know it by; set page.public_url"),
        ({"sign_in": False}, "everybody signs in; leave `sign_in: false` and --no-sign-in out"),
        ({}, "expected users, found none; run `"),
    ],
)
def test_beyond_loopback_without(database: StagingDatabase, changed: dict[str, object], told: str) -> None:
    with pytest.raises(UsageError) as raised:
        check_door(OPEN.model_copy(update=changed), database)
    assert raised.value.message.startswith("page.host is 0.0.0.0: where others can reach it, ")
    assert told in raised.value.message


@pytest.mark.parametrize(
    ("changed", "by"),
    [
        ({"public_url": "https://etl.example.com"}, "page.public_url is https://etl.example.com"),
        ({"trusted_hosts": ("localhost", "etl.example.com")}, "page.trusted_hosts has etl.example.com"),
        ({"trusted_proxies": ("127.0.0.1",)}, "page.trusted_proxies has 127.0.0.1"),
    ],
)
def test_behind_a_proxy_on_the_same_machine(
    database: StagingDatabase, users: Users, changed: dict[str, object], by: str
) -> None:
    """It listens on loopback, and the network reaches it."""
    page = PageSettings(secret=KEY).model_copy(update=changed)
    for lacking, told in (({"sign_in": False}, "everybody signs in"), ({"secret": None}, "expected a secret")):
        with pytest.raises(UsageError) as raised:
            check_door(page.model_copy(update=lacking), database)
        assert raised.value.message.startswith(f"{by}: where others can reach it, ")
        assert told in raised.value.message
    check_door(page, database)
    for name in ("otto", "vera"):
        users.remove(name)
    with pytest.raises(UsageError, match="expected users, found none"):
        check_door(page, database)


def test_names_of_this_machine_open_nothing(database: StagingDatabase) -> None:
    check_door(PageSettings(sign_in=False, public_url="http://localhost:8400", trusted_hosts=("[::1]",)), database)


def test_beyond_loopback_a_provider_will_do_without_users(database: StagingDatabase) -> None:
    oidc = OidcSettings(issuer="https://login.example.com", client_id="page")
    check_door(OPEN.model_copy(update={"oidc": oidc}), database)


def test_on_loopback_nothing_has_to_be_set(database: StagingDatabase) -> None:
    check_door(PageSettings(sign_in=False), database)


def test_the_command_refuses_before_it_listens(environ: dict[str, str], users: Users, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = etl_api({**environ, "ETL_PAGE_SECRET": ""}, tmp_path, "--host", "0.0.0.0", "--port", port)
    assert done.exit_code == 2
    assert "expected a secret, found none" in done.stderr
    done = etl_api(environ, tmp_path, "--host", "0.0.0.0", "--port", port, "--no-sign-in")
    assert done.exit_code == 2
    assert "everybody signs in" in done.stderr
