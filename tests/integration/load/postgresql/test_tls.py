"""verify-full over a real TLS handshake: one's own authority is believed, another's is not, nor a foreign name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession

from etl.config.settings import PostgreSQLSettings
from etl.config.tables.models import PostgreSQLSource, TableConfig
from etl.errors import TerminalError
from etl.extract.postgresql.selection import Selection
from etl.extract.postgresql.snapshot import SourceSnapshot
from etl.extract.postgresql.tables import read_table
from etl.extract.values import Window
from etl.load.postgresql.door import transaction
from etl.model import TableKind
from etl.postgresql.pool import Database as LedgerDatabase
from tests.integration.load.certificates import Certificate, issue_certificate
from tests.integration.load.postgresql.conftest import Database, counts, table_config
from tests.integration.load.postgresql.tls_proxy import TlsProxy, tls_proxy

pytestmark = [pytest.mark.stack, pytest.mark.slow]

ITEMS = TableConfig(
    name="items",
    domain="test",
    kind=TableKind.REFERENCE,
    key=("id",),
    loads={},
    source=PostgreSQLSource(schema_name="public", table="items"),
)


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return issue_certificate(tmp_path / "ours")


@pytest.fixture
def proxy(database: Database, certificate: Certificate) -> Iterator[TlsProxy]:
    with tls_proxy(database.settings.host, database.settings.port, certificate) as proxy:
        yield proxy


@pytest.fixture
def secure(database: Database, proxy: TlsProxy, certificate: Certificate) -> PostgreSQLSettings:
    changes = {"port": proxy.port, "sslmode": "verify-full", "ca_file": str(certificate.authority)}
    return database.settings.model_copy(update=changes)


def ask_as_ledger(settings: PostgreSQLSettings) -> None:
    with closing(LedgerDatabase(settings)) as ledger, ledger.transaction("ask") as cursor:
        cursor.execute("SELECT 1")


def ask_as_loader(settings: PostgreSQLSettings) -> None:
    with transaction(settings, "ask") as cursor:
        cursor.execute("SELECT 1")


def ask_as_extractor(settings: PostgreSQLSettings) -> None:
    with SourceSnapshot(settings):
        pass


EVERY_DOOR = pytest.mark.parametrize("ask", [ask_as_ledger, ask_as_loader, ask_as_extractor])
Ask = Callable[[PostgreSQLSettings], None]


@EVERY_DOOR
def test_psycopg2_believes_the_authority_it_is_given(ask: Ask, secure: PostgreSQLSettings, proxy: TlsProxy) -> None:
    ask(secure)
    assert proxy.connections == 1


@EVERY_DOOR
def test_psycopg2_refuses_an_authority_it_does_not_know(
    ask: Ask, secure: PostgreSQLSettings, proxy: TlsProxy, tmp_path: Path
) -> None:
    stranger = issue_certificate(tmp_path / "stranger")
    for ca_file in (str(stranger.authority), None):
        with pytest.raises(TerminalError, match="certificate verify failed"):
            ask(secure.model_copy(update={"ca_file": ca_file}))


@EVERY_DOOR
def test_psycopg2_refuses_a_certificate_of_another_name(ask: Ask, database: Database, tmp_path: Path) -> None:
    elsewhere = issue_certificate(tmp_path / "elsewhere", "db.example.org")
    with tls_proxy(database.settings.host, database.settings.port, elsewhere) as proxy:
        changes = {"port": proxy.port, "sslmode": "verify-full", "ca_file": str(elsewhere.authority)}
        with pytest.raises(TerminalError, match=r"certificate for .*db\.example\.org.* does not match host name"):
            ask(database.settings.model_copy(update=changes))


def test_a_table_is_loaded_and_read_over_tls(
    database: Database, secure: PostgreSQLSettings, proxy: TlsProxy, spark: SparkSession
) -> None:
    df = database.frame("id int, name string", [(n, str(n)) for n in range(100)]).repartition(2)
    assert counts(database.loader(settings=secure).load(df, table_config("items"))) == {"inserted": 100}
    before = proxy.connections
    assert before >= 4  # two writers' among them
    assert read_items(secure, secure, spark) == 100
    assert proxy.connections >= before + 2


@pytest.mark.parametrize("ca_file", ["stranger", None])
def test_jdbc_refuses_an_authority_it_does_not_know(
    database: Database,
    secure: PostgreSQLSettings,
    proxy: TlsProxy,
    spark: SparkSession,
    tmp_path: Path,
    ca_file: str | None,
) -> None:
    database.execute("CREATE TABLE items (id int)")
    stranger = str(issue_certificate(tmp_path / "stranger").authority) if ca_file else None
    with pytest.raises(AnalysisException, match="FAILED_JDBC"):
        read_items(secure, secure.model_copy(update={"ca_file": stranger}), spark)
    # the snapshot's two, by psycopg2; JDBC broke off its handshakes
    assert proxy.connections == 2


def read_items(settings: PostgreSQLSettings, reader: PostgreSQLSettings, spark: SparkSession) -> int:
    """As the pipeline reads a source: the snapshot by psycopg2, the rows by JDBC with `reader`."""
    with SourceSnapshot(settings) as snapshot:
        snapshot.catalog([("public", "items")])
        measurement = snapshot.measure(ITEMS, Window())
        definition = snapshot.source_table(ITEMS).definition
        snapshot.settings = reader
        snapshot.settings = reader
        selection = Selection.of(ITEMS, snapshot.source_table(ITEMS), definition, Window())
        return read_table(spark, snapshot, selection, measurement, 1_000_000).count()
