import pytest
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings, Settings
from etl.errors import UsageError
from etl.model import Destination
from etl.pipeline.servers import configured_destinations, require_servers

S3, POSTGRESQL = Destination.S3, Destination.POSTGRESQL


def database(name: str, user: str = "etl") -> PostgreSQLSettings:
    return PostgreSQLSettings(host="db.example.com", user=user, password=SecretStr("secret"), database=name)


def test_a_destination_without_a_server_is_named() -> None:
    with pytest.raises(UsageError, match=r"expected servers for s3, found none configured"):
        require_servers(Settings(ledger=database("a"), postgresql=database("a")), (POSTGRESQL, S3))


def test_a_destination_whose_package_is_gone_has_no_server() -> None:
    with pytest.raises(UsageError, match=r"expected a package that brings destination duckdb, found none; install it"):
        require_servers(Settings(), (Destination("duckdb"),))


def test_no_destination_at_all() -> None:
    with pytest.raises(UsageError, match=r"expected servers for at least one destination"):
        require_servers(Settings(), configured_destinations(Settings()))


def test_a_ledger_that_cannot_commit_with_the_rows_is_refused() -> None:
    with pytest.raises(
        UsageError,
        match=r"found the ledger at postgresql://db.example.com:5432/books and the target at "
        r"postgresql://db.example.com:5432/warehouse; leave out ETL_LEDGER_POSTGRES_URL",
    ) as caught:
        require_servers(Settings(ledger=database("books"), postgresql=database("warehouse")), (POSTGRESQL,))
    assert "secret" not in str(caught.value)


def test_a_user_of_the_ledger_s_own_is_no_other_database() -> None:
    require_servers(Settings(ledger=database("a", "books"), postgresql=database("a")), (POSTGRESQL,))
