"""Where the servers are: the environment first, then etl.yaml; a server that neither names is None."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr

from etl.config.destinations.clickhouse.server import clickhouse_fields
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.destinations.s3.server import s3_fields
from etl.config.destinations.s3.settings import S3Settings
from etl.config.document import Node
from etl.config.frozen import FrozenModel
from etl.config.settings import PostgreSQLSettings, RunSettings, Settings
from etl.config.urls import Fields, is_loopback, postgresql_fields, truth
from etl.config.validation import validate
from etl.errors import Fault

SettingsT = TypeVar("SettingsT", bound=FrozenModel)
ENVIRONMENT = "environment"
"""Stands for the file in faults of variables."""

SERVER_KEYS = ("source", "ledger", "postgresql", "staging", "clickhouse", "s3", "run")
_SECRETS = ("password", "access_key", "secret_key", "session_token")
_KEPT = (*_SECRETS[1:], "bucket", "prefix", "region", "connect_timeout_seconds", "statement_timeout_seconds",
         "timeout_seconds")  # fmt: skip
"""What etl.yaml still says of a server whose URL a variable gives: nothing of where it is or whom to trust."""

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")

_S3_VARIABLES = {
    "bucket": ("ETL_S3_BUCKET",),
    "access_key": ("AWS_ACCESS_KEY_ID",),
    "secret_key": ("AWS_SECRET_ACCESS_KEY",),
    "session_token": ("AWS_SESSION_TOKEN",),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "ca_file": ("ETL_S3_CA_FILE",),
}
_S3_CA_BUNDLE = ("AWS_CA_BUNDLE",)
"""Many companies set it everywhere: it speaks of a store only where that is reached by TLS."""


def read_settings(document: Node, environ: Mapping[str, str], config_dir: Path) -> tuple[Settings, list[Fault]]:
    """Every server and the run's defaults, with the faults of both sources."""
    reader = _Reader(document, environ, config_dir)
    postgresql = reader.postgresql("postgresql", "ETL_POSTGRES_URL", "ETL_POSTGRES_CA_FILE")
    ledger = reader.postgresql("ledger", "ETL_LEDGER_POSTGRES_URL", "ETL_POSTGRES_CA_FILE")
    settings = Settings(
        source=reader.postgresql("source", "ETL_SOURCE_POSTGRES_URL", "ETL_SOURCE_POSTGRES_CA_FILE"),
        ledger=ledger or postgresql,
        postgresql=postgresql,
        staging=reader.staging(),
        staging_schema=reader.staging_schema(),
        clickhouse=reader.clickhouse(),
        s3=reader.s3(),
        run=reader.run() or RunSettings(),
        hash_salt=SecretStr(environ.get("ETL_HASH_SALT", "")),
        config_dir=config_dir,
    )
    return settings, reader.faults


@dataclass
class _Reader:
    document: Node
    environ: Mapping[str, str]
    config_dir: Path
    faults: list[Fault] = field(default_factory=list)

    def postgresql(self, block: str, variable: str, ca_variable: str) -> PostgreSQLSettings | None:
        node = self._server(block, variable, postgresql_fields)
        if node is None:
            return None
        host = node.get("host")
        defaults: Fields = {"sslmode": "prefer" if host and is_loopback(str(host.value)) else "verify-full"}
        return self._validate(block, PostgreSQLSettings, self._with_ca(node, ca_variable), defaults)

    def staging(self) -> PostgreSQLSettings | None:
        """The block may name no more than the schema: then the tables are in the postgresql server."""
        node = self.document.get("staging") or _environment({})
        server = {key: value for key, value in node.mapping.items() if key != "schema"}
        block = node.child(server) if server or not isinstance(node.value, dict) else node.child(None)
        reader = replace(self, document=self.document.child({"staging": block}))
        return reader.postgresql("staging", "ETL_STAGING_POSTGRES_URL", "ETL_POSTGRES_CA_FILE")

    def staging_schema(self) -> str:
        node = self.document.get("staging", "schema")
        if node is None or node.value is None:
            return "public"
        if not isinstance(node.value, str) or not _SCHEMA_NAME.fullmatch(node.value):
            self.faults.append(
                node.fault("staging.schema: expected lower-case letters, digits and _, and no more than 63 of them")
            )
        return str(node.value)

    def clickhouse(self) -> ClickHouseSettings | None:
        node = self._server("clickhouse", "ETL_CLICKHOUSE_URL", clickhouse_fields)
        if node is None:
            return None
        secure = node.get("secure")
        defaults: Fields = {"port": 8443 if secure is not None and secure.value is True else 8123}
        return self._validate("clickhouse", ClickHouseSettings, self._with_ca(node, "ETL_CLICKHOUSE_CA_FILE"), defaults)

    def s3(self) -> S3Settings | None:
        """The bucket says that S3 is configured; credentials may be absent (roles, profiles)."""
        node = self._server("s3", "ETL_S3_ENDPOINT", s3_fields)
        fields: Fields = {key: value for key, names in _S3_VARIABLES.items() if (value := self._first(names))}
        verify = self._first(("ETL_S3_VERIFY",))
        if verify is not None:
            self._try("ETL_S3_VERIFY", lambda: fields.update(verify=truth(verify, "it")))
        if node is None and "bucket" not in fields:
            return None
        merged = _laid(node or _environment({}), fields)
        endpoint = merged.get("endpoint")
        over_tls = endpoint is None or not str(endpoint.value).startswith("http://")
        if over_tls and "ca_file" not in fields and (bundle := self._first(_S3_CA_BUNDLE)):
            merged = _laid(merged, {"ca_file": bundle})
        if merged.get("bucket") is None:
            self.faults.append(merged.fault("an S3 endpoint is given without a bucket; set ETL_S3_BUCKET or s3.bucket"))
            return None
        return self._validate("s3", S3Settings, merged, {"path_style": merged.get("endpoint") is not None})

    def run(self) -> RunSettings | None:
        node = self.document.get("run")
        return self._validate("run", RunSettings, node, {}) if node is not None and node.value is not None else None

    def _server(self, block: str, variable: str, fields_of: Callable[[str], Fields]) -> Node | None:
        """The server that the variable names; else the block of etl.yaml, its `url` taken apart."""
        node = self.document.get(block)
        if node is not None and node.value is not None and not isinstance(node.value, dict):
            self.faults.append(node.fault(f"{block} must be a mapping of keys"))
            return None
        written = self._from_block(block, node, fields_of) if node is not None and node.value is not None else None
        url = self._first((variable,))
        if url is None:
            return written
        fields = self._try(variable, lambda: fields_of(url))
        kept = {key: value for key, value in written.mapping.items() if key in _KEPT} if written else {}
        return _laid(_environment({}).child(kept), fields) if fields is not None else None

    def _from_block(self, block: str, node: Node, fields_of: Callable[[str], Fields]) -> Node | None:
        for key in _SECRETS:
            secret = node.get(key)
            if secret is not None and secret.value and not secret.from_environment:
                self.faults.append(secret.fault(f"{block}.{key}: secrets come from the environment; write ${{NAME}}"))
        url = node.get("url")
        if url is None:
            return node
        try:
            fields = fields_of(str(url.value))
        except ValueError as error:
            self.faults.append(url.fault(f"{block}.url: {error}"))
            return None
        if fields.get("password") and not url.from_environment:
            self.faults.append(url.fault(f"{block}.url holds a password; it must come from the environment: ${{NAME}}"))
        for key in (key for key in fields if key in node.mapping):
            self.faults.append(node.mapping[key].fault(f"{block}.{key} is given twice: here and in {block}.url"))
        given = {key: url.child(value) for key, value in fields.items()}
        return node.child({**given, **{key: value for key, value in node.mapping.items() if key != "url"}})

    def _with_ca(self, node: Node, variable: str) -> Node:
        ca_file = self._first((variable,))
        return _laid(node, {"ca_file": ca_file}) if ca_file else node

    def _validate(self, block: str, model: type[SettingsT], node: Node, defaults: Fields) -> SettingsT | None:
        node = self._with_located_ca(block, node)
        filled = {key: node.child(value) for key, value in defaults.items()} | node.mapping
        settings, faults = validate(model, node.child(filled), {(): [*model.model_fields, "url"]})
        self.faults += [replace(fault, message=f"{block}: {fault.message}") for fault in faults]
        return settings

    def _with_located_ca(self, block: str, node: Node) -> Node:
        """A relative `ca_file` of etl.yaml starts at its folder, like every path there."""
        ca_file = node.get("ca_file")
        if ca_file is None or not isinstance(ca_file.value, str):
            return node
        path = Path(ca_file.value) if ca_file.file == ENVIRONMENT else self.config_dir / ca_file.value
        if not path.is_file():
            self.faults.append(
                ca_file.fault(f"{block}.ca_file: no file {path}; expected the authority's certificate (PEM)")
            )
        return node.child({**node.mapping, "ca_file": replace(ca_file, value=str(path))})

    def _first(self, names: tuple[str, ...]) -> str | None:
        return next((self.environ[name] for name in names if self.environ.get(name)), None)

    def _try(self, variable: str, read: Callable[[], Fields | None]) -> Fields | None:
        try:
            return read()
        except ValueError as error:
            self.faults.append(Fault(ENVIRONMENT, 0, f"{variable}: {error}"))
            return None


def _environment(fields: Fields) -> Node:
    return Node({k: Node(v, ENVIRONMENT, 0, from_environment=True) for k, v in fields.items()}, ENVIRONMENT, 0)


def _laid(node: Node, fields: Fields) -> Node:
    """Fields from the environment laid upon a server's node."""
    return node.child({**node.mapping, **_environment(fields).mapping})
