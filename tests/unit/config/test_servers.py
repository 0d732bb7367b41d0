from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.destinations.s3.settings import S3Settings
from etl.config.settings import PostgreSQLSettings, RunSettings, Settings
from etl.fencing import Fence
from tests.unit.config.conftest import Folder

TABLES = "tables:\n  customers: {kind: reference, key: customer_id}\n"
URL = "postgresql://etl:hunter2@db.example.com/warehouse"


@pytest.fixture
def shop(folder: Folder) -> Folder:
    return folder.tables(TABLES)


def settings_of(shop: Folder, etl: str = "", environ: dict[str, str] | None = None) -> Settings:
    return shop.write("etl.yaml", etl).load(environ or {}).settings


def test_nothing_is_configured_where_nothing_is_said(shop: Folder) -> None:
    assert settings_of(shop) == Settings(config_dir=shop.path)


def test_the_environment_names_every_server(shop: Folder) -> None:
    settings = settings_of(
        shop,
        environ={
            "ETL_POSTGRES_URL": URL,
            "ETL_SOURCE_POSTGRES_URL": "postgresql://reader:pw@127.0.0.1:5433/shop",
            "ETL_CLICKHOUSE_URL": "https://etl:pw@ch.example.com/lake",
            "ETL_S3_ENDPOINT": "http://127.0.0.1:9000",
            "ETL_S3_BUCKET": "lake",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_SESSION_TOKEN": "token",
            "AWS_REGION": "eu-central-1",
            "ETL_HASH_SALT": "pinch",
        },
    )
    warehouse = PostgreSQLSettings(
        host="db.example.com",
        user="etl",
        password=SecretStr("hunter2"),
        database="warehouse",
        sslmode="verify-full",
    )
    assert settings == Settings(
        source=PostgreSQLSettings(
            host="127.0.0.1", port=5433, user="reader", password=SecretStr("pw"), database="shop", sslmode="prefer"
        ),
        ledger=warehouse,
        postgresql=warehouse,
        clickhouse=ClickHouseSettings(
            host="ch.example.com", port=8443, user="etl", password=SecretStr("pw"), database="lake", secure=True
        ),
        s3=S3Settings(
            endpoint="http://127.0.0.1:9000",
            bucket="lake",
            region="eu-central-1",
            access_key=SecretStr("key"),
            secret_key=SecretStr("secret"),
            session_token=SecretStr("token"),
            path_style=True,
        ),
        hash_salt=SecretStr("pinch"),
        config_dir=shop.path,
    )


def test_etl_yaml_names_every_server(shop: Folder) -> None:
    settings = settings_of(
        shop,
        """\
        source: {url: "${SHOP_URL}"}
        postgresql:
          host: db.example.com
          user: etl
          password: ${PG_PASSWORD}
          database: warehouse
          connect_timeout_seconds: 3
        ledger:
          url: postgresql://ledger:@ledger.example.com/runs
          sslmode: require
        clickhouse: {host: ch.example.com, secure: true, verify: false}
        s3: {bucket: lake, prefix: raw}
        run: {parallelism: 8, retries: 0}
        """,
        {"SHOP_URL": "postgresql://r:pw@shop.example.com:6000/shop", "PG_PASSWORD": "hunter2"},
    )
    assert settings == Settings(
        source=PostgreSQLSettings(
            host="shop.example.com",
            port=6000,
            user="r",
            password=SecretStr("pw"),
            database="shop",
            sslmode="verify-full",
        ),
        postgresql=PostgreSQLSettings(
            host="db.example.com",
            user="etl",
            password=SecretStr("hunter2"),
            database="warehouse",
            sslmode="verify-full",
            connect_timeout_seconds=3,
        ),
        ledger=PostgreSQLSettings(
            host="ledger.example.com", user="ledger", password=SecretStr(""), database="runs", sslmode="require"
        ),
        clickhouse=ClickHouseSettings(host="ch.example.com", port=8443, secure=True, verify=False),
        s3=S3Settings(bucket="lake", prefix="raw", path_style=False),
        run=RunSettings(parallelism=8, retries=0),
        config_dir=shop.path,
    )


def test_the_environment_comes_before_etl_yaml_and_inherits_no_trust(shop: Folder) -> None:
    settings = settings_of(
        shop,
        """\
        postgresql:
          host: old.example.com
          user: old
          password: ${OLD_PASSWORD}
          database: old
          sslmode: disable
          connect_timeout_seconds: 3
        s3: {endpoint: "http://old.example.com", bucket: old, prefix: raw, verify: false}
        """,
        {
            "OLD_PASSWORD": "old",
            "ETL_POSTGRES_URL": URL,
            "ETL_S3_ENDPOINT": "https://new.example.com",
            "ETL_S3_BUCKET": "new",
        },
    )
    assert settings.postgresql == PostgreSQLSettings(
        host="db.example.com",
        user="etl",
        password=SecretStr("hunter2"),
        database="warehouse",
        sslmode="verify-full",
        connect_timeout_seconds=3,
    )
    assert settings.s3 == S3Settings(endpoint="https://new.example.com", bucket="new", prefix="raw", verify=True)


def test_an_authority_of_ones_own_for_all_three(shop: Folder) -> None:
    shop.write("ours.pem", "certificate")
    ours = str(shop.path / "ours.pem")
    settings = settings_of(
        shop,
        "clickhouse: {host: ch.example.com, secure: true, ca_file: ours.pem}\n",
        {"ETL_POSTGRES_URL": URL, "ETL_POSTGRES_CA_FILE": ours, "ETL_S3_BUCKET": "lake", "ETL_S3_CA_FILE": ours},
    )
    servers = (settings.postgresql, settings.clickhouse, settings.s3)
    assert [server.ca_file for server in servers if server] == [ours, ours, ours]
    assert [server.verify for server in (settings.clickhouse, settings.s3) if server] == [True, True]


@pytest.mark.parametrize(
    ("endpoint", "speaks"),
    [(None, True), ("https://minio.example.com", True), ("http://127.0.0.1:9000", False)],
)
def test_the_companys_bundle_speaks_of_a_store_that_is_reached_by_tls(
    shop: Folder, endpoint: str | None, speaks: bool
) -> None:
    shop.write("company.pem", "certificate")
    environ = {
        "ETL_S3_BUCKET": "lake",
        "ETL_S3_ENDPOINT": endpoint or "",
        "AWS_CA_BUNDLE": str(shop.path / "company.pem"),
    }
    s3 = settings_of(shop, environ=environ).s3
    assert s3 is not None
    assert s3.uses_tls is speaks
    assert s3.ca_file == (environ["AWS_CA_BUNDLE"] if speaks else None)


def test_verification_can_be_turned_off_for_s3(shop: Folder) -> None:
    s3 = settings_of(shop, environ={"ETL_S3_BUCKET": "lake", "ETL_S3_VERIFY": "false"}).s3
    assert s3 == S3Settings(bucket="lake", verify=False, path_style=False)


@pytest.mark.parametrize(
    ("etl", "environ", "expected"),
    [
        (
            "postgresql: {host: h, user: u, password: hunter2, database: d}",
            {},
            ["etl.yaml:1: postgresql.password: secrets come from the environment; write ${NAME}"],
        ),
        (
            "postgresql: {host: h, user: u, password: '${NOWHERE:-hunter2}', database: d}",
            {},
            ["etl.yaml:1: postgresql.password: secrets come from the environment; write ${NAME}"],
        ),
        (
            "postgresql: {url: 'postgresql://u:hunter2@h/d'}",
            {},
            ["etl.yaml:1: postgresql.url holds a password; it must come from the environment: ${NAME}"],
        ),
        (
            "clickhouse: {url: 'https://ch/lake', host: other}",
            {},
            ["etl.yaml:1: clickhouse.host is given twice: here and in clickhouse.url"],
        ),
        (
            "clickhouse: {hots: ch}",
            {},
            [
                "etl.yaml:1: clickhouse: key 'host' is missing",
                "etl.yaml:1: clickhouse: unknown key 'hots'; did you mean 'host'?",
            ],
        ),
        ("s3: https://h", {}, ["etl.yaml:1: s3 must be a mapping of keys"]),
        (
            "",
            {"ETL_S3_ENDPOINT": "https://h"},
            ["environment: an S3 endpoint is given without a bucket; set ETL_S3_BUCKET or s3.bucket"],
        ),
        (
            "",
            {"ETL_POSTGRES_URL": "postgresql://etl:hunter2@/d", "ETL_CLICKHOUSE_URL": "hunter2"},
            [
                "environment: ETL_CLICKHOUSE_URL: the URL must begin with http:// or https://",
                "environment: ETL_POSTGRES_URL: the URL lacks host; "
                "expected postgresql://user:password@host:port/database",
            ],
        ),
        (
            "",
            {"ETL_POSTGRES_URL": f"{URL}?sslmode=hunter2"},
            [
                "environment: postgresql: sslmode: unknown value (from a variable); "
                "valid: allow, disable, prefer, require, verify-ca, verify-full"
            ],
        ),
        (
            "",
            {"ETL_POSTGRES_URL": URL, "ETL_POSTGRES_CA_FILE": "/nowhere/ca.pem"},
            ["environment: postgresql.ca_file: no file /nowhere/ca.pem; expected the authority's certificate (PEM)"],
        ),
        (
            "",
            {"ETL_S3_BUCKET": "b", "ETL_S3_VERIFY": "hunter2"},
            ["environment: ETL_S3_VERIFY: it must be true or false"],
        ),
    ],
)
def test_faults_never_repeat_a_secret(shop: Folder, etl: str, environ: dict[str, str], expected: list[str]) -> None:
    faults = shop.write("etl.yaml", etl + "\n").faults(environ)
    assert faults == expected
    assert "hunter2" not in "".join(faults)


def test_an_orchestrators_attempt_is_known_to_every_server_that_it_may_publish_to(shop: Folder) -> None:
    environ = {"ETL_POSTGRES_URL": URL, "ETL_STAGING_POSTGRES_URL": URL, "ETL_FENCE": "orchestrator/17/42"}
    settings = settings_of(shop, environ=environ)

    assert settings.ledger and settings.postgresql and settings.staging
    assert {s.fence for s in (settings.ledger, settings.postgresql, settings.staging)} == {
        Fence("orchestrator", 17, 42)
    }
    assert shop.faults({**environ, "ETL_FENCE": "17/42"}) == [
        "environment: ETL_FENCE: expected <schema>/<run>/<token> as the orchestrator sets it, such as "
        "orchestrator/17/42, found '17/42'; unset it where no orchestrator starts this"
    ]


def test_a_source_is_never_its_own_target(shop: Folder) -> None:
    environ = {"ETL_POSTGRES_URL": URL, "ETL_SOURCE_POSTGRES_URL": URL.replace("etl:", "reader:")}
    assert shop.faults(environ) == [
        "tables/shop.yaml:2: table customers would be loaded into the table it is read from, public.customers at "
        "postgresql://db.example.com:5432/warehouse; give postgresql another target_schema"
    ]
    shop.tables("defaults:\n  postgresql: {target_schema: mart}\n" + TABLES)
    assert shop.faults(environ) == []


def test_secrets_stay_out_of_the_representation(shop: Folder) -> None:
    environ = {
        "ETL_POSTGRES_URL": URL,
        "ETL_CLICKHOUSE_URL": "https://u:hunter2@h",
        "ETL_S3_BUCKET": "b",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
    }
    assert "hunter2" not in repr(settings_of(shop, environ=environ))


def test_addresses_and_connections() -> None:
    server = PostgreSQLSettings(
        host="2001:db8::1", user="etl", password=SecretStr("pw"), database="my db", sslmode="verify-full"
    )
    assert server.address == "postgresql://[2001:db8::1]:5432/my%20db"
    assert server.jdbc_url == (
        "jdbc:postgresql://[2001:db8::1]:5432/my%20db?reWriteBatchedInserts=true&tcpKeepAlive=true&connectTimeout=10"
        "&socketTimeout=14460&sslmode=verify-full"
        "&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory"
    )
    assert server.connection_parameters == {
        "host": "2001:db8::1",
        "port": 5432,
        "user": "etl",
        "password": "pw",
        "dbname": "my db",
        "sslmode": "verify-full",
        "connect_timeout": 10,
        "sslrootcert": "system",
    }
    own = server.model_copy(update={"ca_file": "/etc/our ca.pem", "host": "db"})
    assert own.jdbc_url.endswith("&sslmode=verify-full&sslrootcert=/etc/our%20ca.pem")
    assert own.connection_parameters["sslrootcert"] == "/etc/our ca.pem"
    assert ClickHouseSettings(host="::1", secure=True, port=8443).address == "https://[::1]:8443/default"


def test_the_configuration_folder_is_kept(shop: Folder) -> None:
    assert settings_of(shop).config_dir == Path(shop.path)
