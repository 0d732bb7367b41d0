"""Servers and run defaults: the environment first, then conf/etl.yaml. Secrets are SecretStr and never printed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self
from urllib.parse import quote

from pydantic import Field, PrivateAttr, SecretStr, SerializeAsAny

from etl.config.alerts import AlertSettings
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.destinations.s3.settings import S3Settings
from etl.config.frozen import FrozenModel
from etl.config.limits import LONGEST_STATEMENT_SECONDS
from etl.config.lineage import LineageSettings
from etl.config.page import PageSettings
from etl.config.urls import bracketed
from etl.errors import UsageError
from etl.fencing import Fence
from etl.model import Dataset, Destination

PRODUCT = "ownlens-etl"

SslMode = Literal["disable", "allow", "prefer", "require", "verify-ca", "verify-full"]


class PostgreSQLSettings(FrozenModel):
    """One PostgreSQL database. `sslmode` is verify-full off loopback unless said otherwise.

    Without `ca_file` a verifying mode trusts the machine's (in Java: the JVM's) authorities.
    """

    host: str
    port: int = Field(default=5432, ge=1, le=65535)
    user: str
    password: SecretStr
    database: str
    sslmode: SslMode = "prefer"
    ca_file: str | None = None
    connect_timeout_seconds: int = Field(default=10, ge=1)
    statement_timeout_seconds: int = Field(default=LONGEST_STATEMENT_SECONDS, ge=1)
    """A night's longest statement is far below it; without it, one that hangs would hold up the run for ever."""
    _run: str = PrivateAttr(default="")
    _fence: Fence | None = PrivateAttr(default=None)

    def of_attempt(self, fence: Fence | None) -> Self:
        """The same server; its sessions say for which attempt of the orchestrator they are, and what is published there
        asks whether that still holds."""
        fenced = self.model_copy()
        fenced._fence = fence
        return fenced

    @property
    def fence(self) -> Fence | None:
        return self._fence

    def of_run(self, run: str) -> Self:
        """The same server; its sessions say for which run they are."""
        named = self.model_copy()
        named._run = run
        return named

    def session_name(self, part: str = "") -> str:
        """What the server shows as application_name."""
        if self._fence is not None:
            return self._fence.session_name(PRODUCT, part, self._run)
        return " ".join(word for word in (PRODUCT, part, self._run) if word)

    @property
    def address(self) -> str:
        """Where it is, without secrets."""
        return f"postgresql://{bracketed(self.host)}:{self.port}/{quote(self.database, safe='')}"

    def dataset(self, schema: str, table: str) -> Dataset:
        return Dataset(f"postgres://{bracketed(self.host)}:{self.port}", f"{self.database}.{schema}.{table}")

    @property
    def jdbc_url(self) -> str:
        """Without user and password: those go into the driver's properties."""
        # no answer comes later than the statement's own end
        waits = f"&connectTimeout={self.connect_timeout_seconds}&socketTimeout={self.statement_timeout_seconds + 60}"
        tls = f"&sslmode={self.sslmode}"
        if self.ca_file:
            tls += f"&sslrootcert={quote(self.ca_file, safe='/')}"
        elif self.sslmode.startswith("verify"):
            # without this the driver looks for ~/.postgresql/root.crt and fails
            tls += "&sslfactory=org.postgresql.ssl.DefaultJavaSSLFactory"
        return f"jdbc:{self.address}?reWriteBatchedInserts=true&tcpKeepAlive=true{waits}{tls}"

    @property
    def connection_parameters(self) -> dict[str, str | int]:
        """Keyword arguments of psycopg2.connect. They hold the password: never log them."""
        parameters: dict[str, str | int] = {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "password": self.password.get_secret_value(),
            "dbname": self.database,
            "sslmode": self.sslmode,
            "connect_timeout": self.connect_timeout_seconds,
        }
        if self.ca_file:
            parameters["sslrootcert"] = self.ca_file
        elif self.sslmode == "verify-full":
            parameters["sslrootcert"] = "system"
        return parameters


class RunSettings(FrozenModel):
    """Defaults of a run; the command line overrides them."""

    parallelism: int = Field(default=4, ge=1)
    writers: int = Field(default=4, ge=1)
    """Connections that the executors together may hold to one store for one table."""
    rows_per_partition: int = Field(default=250_000, ge=1)
    validate_loads: bool = True
    retries: int = Field(default=4, ge=0)
    """How often at least what may help is tried again; 0: never."""
    retry_for_seconds: int = Field(default=120, ge=0)
    """How long at least: a server that restarts is waited for."""
    lock_timeout_seconds: int = Field(default=30, ge=0)


class Settings(FrozenModel):
    """Everything a run needs to know of its surroundings. A destination not configured is None."""

    source: PostgreSQLSettings | None = None
    ledger: PostgreSQLSettings | None = None
    postgresql: PostgreSQLSettings | None = None
    staging: PostgreSQLSettings | None = None
    """Where the staging loader's tables are; the postgresql server where None."""
    staging_schema: str = "public"
    orchestrator: PostgreSQLSettings | None = None
    """Where the orchestrator's tables are; the ledger's server where None, so that a fence can be asked for there."""
    orchestrator_schema: str = "orchestrator"
    clickhouse: ClickHouseSettings | None = None
    s3: S3Settings | None = None
    others: Mapping[str, SerializeAsAny[FrozenModel] | None] = Field(default_factory=dict)
    """Servers of the destinations that other packages bring, by the destination's name."""
    run: RunSettings = RunSettings()
    alerts: AlertSettings = AlertSettings()
    page: PageSettings = PageSettings()
    lineage: LineageSettings | None = None
    """Whether and as what a run of the main job is told to an OpenLineage server."""
    hash_salt: SecretStr = SecretStr("")
    """Put before every value that `transform.hash` hashes; ETL_HASH_SALT."""
    mask_key: SecretStr = SecretStr("")
    """Of what `transform.mask` makes by a key; ETL_MASK_KEY, or the file that ETL_MASK_KEY_FILE names."""
    config_dir: Path = Path("conf")

    def server(self, destination: Destination) -> FrozenModel | None:
        """Where the destination is; None where it is not configured."""
        is_ours = destination in type(self).model_fields
        server: FrozenModel | None = getattr(self, destination) if is_ours else self.others.get(destination)
        return server

    def of_attempt(self, fence: Fence | None) -> Self:
        """The same servers, for an attempt of the orchestrator."""
        servers = {name: getattr(self, name) for name in ("source", "ledger", "postgresql", "staging")}
        return self.model_copy(update={name: server and server.of_attempt(fence) for name, server in servers.items()})

    def of_run(self, run: str) -> Self:
        """The same servers; sessions of PostgreSQL say for which run they are."""
        servers = {name: getattr(self, name) for name in ("source", "ledger", "postgresql")}
        return self.model_copy(update={name: server and server.of_run(run) for name, server in servers.items()})


def ledger_settings(settings: Settings) -> PostgreSQLSettings:
    if settings.ledger is None:
        raise UsageError("expected a PostgreSQL database for the ledger, found none; set ETL_POSTGRES_URL")
    return settings.ledger


def orchestrator_settings(settings: Settings) -> PostgreSQLSettings:
    return settings.orchestrator or ledger_settings(settings)
