"""Where the database is, and that nothing shows its password."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
from asyncpg.connect_utils import _parse_connect_dsn_and_args

from etl.errors import UsageError
from etl.ingestion.database.settings import Dsn, find_dsn, has_password, read_dsn

URL = "postgresql://loader:hush%40hush@localhost:6432/warehouse"


def as_asyncpg_reads_it(dsn: Dsn) -> tuple[object, object]:
    names = "dsn host port user password passfile database ssl service servicefile direct_tls server_settings"
    names += " target_session_attrs krbsrvname gsslib"
    return _parse_connect_dsn_and_args(**(dict.fromkeys(names.split()) | dsn.connect_parameters))


def test_a_url_becomes_what_asyncpg_connects_with() -> None:
    addresses, parameters = as_asyncpg_reads_it(read_dsn(URL, "--dsn", {}))
    assert addresses == [("localhost", 6432)]
    assert (parameters.user, parameters.password, parameters.database) == ("loader", "hush@hush", "warehouse")


def test_a_password_with_an_unescaped_at_sign_is_read_to_the_last_one() -> None:
    addresses, parameters = as_asyncpg_reads_it(read_dsn("postgresql://u:a@b@localhost/d", "--dsn", {}))
    assert (addresses, parameters.password) == ([("localhost", 5432)], "a@b")


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("postgresql://u@[::1]:6432/d", [("::1", 6432)]),
        ("postgresql:///d?host=/var/run/postgresql&port=5433", ["/var/run/postgresql/.s.PGSQL.5433"]),
        ("postgresql://%2Ftmp%2Fsockets/d", ["/tmp/sockets/.s.PGSQL.5432"]),
        (
            "postgresql://127.0.0.1:1,127.0.0.2:2/d?target_session_attrs=read-write",
            [("127.0.0.1", 1), ("127.0.0.2", 2)],
        ),
    ],
)
def test_addresses_of_all_kinds(url: str, addresses: list[object]) -> None:
    found, _ = as_asyncpg_reads_it(read_dsn(url, "--dsn", {}))
    assert found == addresses


def test_off_this_machine_the_certificate_is_verified_unless_told_otherwise() -> None:
    _, parameters = as_asyncpg_reads_it(read_dsn("postgresql://u:hush@db.example.org/d", "--dsn", {}))
    assert parameters.ssl.verify_mode is ssl.CERT_REQUIRED
    assert parameters.ssl.check_hostname
    _, parameters = as_asyncpg_reads_it(read_dsn("postgresql://u:hush@db.example.org/d?sslmode=disable", "--dsn", {}))
    assert parameters.ssl is False
    _, parameters = as_asyncpg_reads_it(
        read_dsn("postgresql://u:hush@db.example.org/d", "--dsn", {"PGSSLMODE": "disable"})
    )
    assert parameters.ssl is False


def test_a_root_certificate_of_ones_own_is_used() -> None:
    dsn = read_dsn("postgresql://u:hush@db.example.org/d?sslrootcert=/nowhere/ca.pem", "--dsn", {})
    with pytest.raises(FileNotFoundError):
        as_asyncpg_reads_it(dsn)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("mysql://u:hush@h/d", "expected postgresql://"),
        ("host=localhost password=hush", "expected postgresql://"),
        ("postgresql://u:hu/sh@h/d", "percent-encoded"),
        ("postgresql://u:12?hush@h/d", "percent-encoded"),
        ("postgresql://u:hu#sh@h/d", "%23"),
        ("postgresql://u:hush@h:0/d", "1 to 65535"),
        ("postgresql://u:hush@h:99999/d", "1 to 65535"),
        ("postgresql://u:hush@h/d?sslmod=disable", "unknown URL parameter 'sslmod'"),
        ("postgresql://u:hush@h/d?sslmode=off", "sslmode must be one of disable"),
        ("postgresql://u:hush@h/d?sslmode=require&sslrootcert=system", "needs sslmode=verify-full"),
    ],
)
def test_a_fault_says_where_and_what_but_never_the_password(url: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_dsn(url, "ETL_UPLOADER_DSN", {})
    assert str(caught.value).startswith("ETL_UPLOADER_DSN: ")
    assert told in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_nothing_that_is_printed_shows_a_password() -> None:
    dsn = read_dsn(URL + "?sslpassword=keyphrase", "--dsn", {})
    for text in (repr(dsn), str(dsn), f"{dsn}", dsn.masked):
        assert "hush" not in text
        assert "keyphrase" not in text
        assert "loader:***@localhost:6432/warehouse" in text
    assert dsn.secrets == ("hush@hush", "keyphrase")


def test_the_command_line_comes_before_the_environment_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    file.write_text("postgresql://file@localhost/d\n")
    environment = {"ETL_UPLOADER_DSN": "postgresql://variable@localhost/d", "PGHOST": "localhost", "PGUSER": "libpq"}
    assert find_dsn("postgresql://given@localhost/d", file, environment).user == "given"
    assert find_dsn(None, file, environment).user == "variable"
    del environment["ETL_UPLOADER_DSN"]
    assert find_dsn(None, file, environment).user == "file"
    environment["ETL_POSTGRES_URL"] = "postgresql://warehouse@localhost/d"
    assert find_dsn(None, None, environment).user == "libpq"
    del environment["PGHOST"]
    assert find_dsn(None, None, environment).user == "warehouse"


def test_the_warehouse_is_reached_with_the_authorities_of_the_other_tools() -> None:
    environment = {
        "ETL_POSTGRES_URL": "postgresql://u:hush@db.example.org/d",
        "ETL_POSTGRES_CA_FILE": "/etc/ours.pem",
    }
    options = dict(find_dsn(None, None, environment).options)
    assert options == {"sslmode": "verify-full", "sslrootcert": "/etc/ours.pem"}
    with pytest.raises(UsageError, match="ETL_POSTGRES_URL: "):
        find_dsn(None, None, {"ETL_POSTGRES_URL": "jdbc:postgresql://db.example.org/d"})


def test_what_the_url_leaves_out_comes_from_libpqs_variables() -> None:
    dsn = read_dsn("postgresql://localhost", "--dsn", {"PGUSER": "u", "PGPASSWORD": "hush", "PGDATABASE": "d"})
    assert (dsn.user, dsn.password, dsn.database) == ("u", "hush", "d")
    assert dsn.secrets == ("hush",)


@pytest.mark.parametrize("content", [None, "", "  \n"])
def test_a_file_that_holds_no_url_is_said(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "dsn"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match="--dsn-file"):
        find_dsn(None, file, {})


def test_without_any_all_ways_are_said() -> None:
    with pytest.raises(UsageError, match=r"ETL_UPLOADER_DSN.*--dsn-file.*--dsn.*PGHOST"):
        find_dsn(None, None, {})


def test_a_password_on_the_command_line_is_noticed() -> None:
    assert has_password("postgresql://u:hush@h/d")
    assert has_password("postgresql://u@h/d?password=hush")
    assert has_password("postgresql://u:hu/sh@h/d")
    assert not has_password("postgresql://u@h/d")
    assert not has_password("")
