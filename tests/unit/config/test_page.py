from __future__ import annotations

import pytest
from pydantic import SecretStr

from etl.config.configuration import load_settings
from etl.config.page import OidcRoles, PageSettings
from etl.errors import ConfigurationError
from tests.unit.config.conftest import Folder

KEY = "k" * 32
OIDC = "issuer: https://login.example.com, client_id: page"


def page_of(folder: Folder, text: str, **environ: str) -> PageSettings:
    folder.write("etl.yaml", text)
    return load_settings(folder.path, environ).page


def test_without_a_block_it_is_on_loopback_and_asks_for_sign_in(folder: Folder) -> None:
    page = page_of(folder, "run: {parallelism: 2}")
    assert page == PageSettings()
    assert page.is_loopback
    assert page.sign_in
    assert page.address == "http://127.0.0.1:8400"
    assert page.hosts == {"localhost", "127.0.0.1", "[::1]"}


def test_the_environment_comes_first(folder: Folder) -> None:
    page = page_of(
        folder,
        "page: {host: 10.0.0.1, port: 9000, session_hours: 8, trusted_hosts: ETL.internal}",
        ETL_PAGE_HOST="0.0.0.0",
        ETL_PAGE_PORT="8443",
        ETL_PAGE_PUBLIC_URL="https://ETL.example.com/",
        ETL_PAGE_SECRET=KEY,
    )
    assert (page.host, page.port, page.session_hours) == ("0.0.0.0", 8443, 8)
    assert page.public_url == page.address == "https://etl.example.com"
    assert page.is_secure
    assert page.hosts == {"etl.example.com", "etl.internal"}
    assert page.secrets == (KEY,)
    assert KEY not in repr(page)


def test_a_provider(folder: Folder) -> None:
    text = f'page: {{oidc: {{{OIDC}, client_secret: "${{OIDC}}", roles: {{operator: etl, viewer: ["*"]}}}}}}'
    page = page_of(folder, text, OIDC="hunter2hunter2", ETL_PAGE_SECRET=KEY)
    assert page.oidc
    assert page.oidc.client_secret == SecretStr("hunter2hunter2")
    assert page.oidc.roles == OidcRoles(operator=("etl",), viewer=("*",))
    assert set(page.secrets) == {KEY, "hunter2hunter2"}


@pytest.mark.parametrize(
    ("text", "environ", "fault"),
    [
        ("page: [8400]", {}, "etl.yaml:1: page must be a mapping of keys"),
        ("page: {hosts: a}", {}, "etl.yaml:1: page: unknown key 'hosts'; did you mean 'host'?"),
        ("page: {port: 0}", {}, "etl.yaml:1: page: port: should be greater than or equal to 1; found 0"),
        (f"page: {{secret: {KEY}}}", {}, "etl.yaml:1: page.secret: secrets come from the environment; write ${NAME}"),
        (
            f"page: {{oidc: {{{OIDC}, client_secret: abc}}}}",
            {"ETL_PAGE_SECRET": KEY},
            "etl.yaml:1: page.oidc.client_secret: secrets come from the environment; write ${NAME}",
        ),
        (
            f"page: {{oidc: {{{OIDC}}}}}",
            {},
            "etl.yaml:1: page.oidc: the way to the provider and back is signed; set ETL_PAGE_SECRET",
        ),
        (
            "page: {}",
            {"ETL_PAGE_SECRET": "short"},
            "environment: ETL_PAGE_SECRET: expected 32 characters or more, found 5",
        ),
        ("page: {}", {"ETL_PAGE_PORT": "many"}, "environment: ETL_PAGE_PORT: expected a port's number, found 'many'"),
        (
            "page: {public_url: https://etl.example.com/etl}",
            {},
            "etl.yaml:1: page: public_url: expected an address without a path, such as https://etl.example.com",
        ),
        (
            "page: {public_url: etl.example.com}",
            {},
            "etl.yaml:1: page: public_url: the URL must begin with https:// or",
        ),
        (
            "page: {trusted_hosts: ['https://a']}",
            {},
            "etl.yaml:1: page: trusted_hosts.0: 'https://a': expected names of hosts without scheme and port",
        ),
        (
            "page: {oidc: {issuer: http://login.example.com, client_id: page}}",
            {"ETL_PAGE_SECRET": KEY},
            "etl.yaml:1: page: oidc.issuer: expected https://",
        ),
    ],
)
def test_faults(folder: Folder, text: str, environ: dict[str, str], fault: str) -> None:
    folder.write("etl.yaml", text)
    with pytest.raises(ConfigurationError) as raised:
        load_settings(folder.path, environ)
    (found,) = raised.value.faults
    assert fault in str(found)
