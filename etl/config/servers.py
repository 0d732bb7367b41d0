"""Where the servers are: the environment first, then etl.yaml; a server that neither names is None."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from etl.config.alerts import read_alerts
from etl.config.destinations.registry import known_destinations
from etl.config.document import Node
from etl.config.lineage import read_lineage
from etl.config.mask_key import read_mask_key
from etl.config.page import read_page
from etl.config.server_reader import ENVIRONMENT, ServerReader, environment
from etl.config.settings import PostgreSQLSettings, RunSettings, Settings
from etl.errors import Fault, UsageError
from etl.fencing import Fence, read_fence

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def server_keys() -> tuple[str, ...]:
    """The blocks of etl.yaml that name servers, and the run's."""
    return ("source", "ledger", "staging", "orchestrator", "run", "alerts", "page", *known_destinations())


def read_settings(document: Node, environ: Mapping[str, str], config_dir: Path) -> tuple[Settings, list[Fault]]:
    """Every server and the run's defaults, with the faults of both sources."""
    reader = ServerReader(document, environ, config_dir)
    servers: dict[str, Any] = {name: spec.read_server(reader) for name, spec in known_destinations().items()}
    ledger = reader.postgresql("ledger", "ETL_LEDGER_POSTGRES_URL", "ETL_POSTGRES_CA_FILE")
    alerts, faults = read_alerts(document)
    page, page_faults = read_page(document, environ)
    lineage, lineage_faults = read_lineage(environ)
    mask_key, key_faults = read_mask_key(environ)
    reader.faults += [*faults, *page_faults, *lineage_faults, *key_faults]
    settings = Settings(
        source=reader.postgresql("source", "ETL_SOURCE_POSTGRES_URL", "ETL_SOURCE_POSTGRES_CA_FILE"),
        ledger=ledger or servers["postgresql"],
        staging=_with_schema(reader, "staging", "ETL_STAGING_POSTGRES_URL"),
        staging_schema=_schema(reader, "staging", "public"),
        orchestrator=_with_schema(reader, "orchestrator", "ETL_ORCHESTRATOR_POSTGRES_URL"),
        orchestrator_schema=_schema(reader, "orchestrator", "orchestrator"),
        run=_run(reader) or RunSettings(),
        alerts=alerts,
        page=page,
        lineage=lineage,
        hash_salt=SecretStr(environ.get("ETL_HASH_SALT", "")),
        mask_key=mask_key,
        config_dir=config_dir,
        **{name: server for name, server in servers.items() if name in Settings.model_fields},
        others={name: server for name, server in servers.items() if name not in Settings.model_fields},
    )
    return settings.of_attempt(_fence(reader)), reader.faults


def secrets_of(settings: Settings) -> tuple[str, ...]:
    """Every secret value of the configuration, for the filters of logs and reports."""
    own = (settings.source, settings.ledger, settings.staging, settings.orchestrator)
    servers = (*own, *(settings.server(name) for name in known_destinations()))
    values = [value for server in servers if server is not None for _, value in server]
    values += [settings.hash_salt, settings.mask_key]
    secrets = [value.get_secret_value() for value in values if isinstance(value, SecretStr)]
    others = (*settings.alerts.secrets, *settings.page.secrets, *(settings.lineage.secrets if settings.lineage else ()))
    return tuple(dict.fromkeys((*filter(None, secrets), *others)))


def _with_schema(reader: ServerReader, name: str, variable: str) -> PostgreSQLSettings | None:
    """The block may name no more than the schema: then the tables are in another block's server."""
    node = reader.document.get(name) or environment({})
    server = {key: value for key, value in node.mapping.items() if key != "schema"}
    block = node.child(server) if server or not isinstance(node.value, dict) else node.child(None)
    of_block = replace(reader, document=reader.document.child({name: block}))
    return of_block.postgresql(name, variable, "ETL_POSTGRES_CA_FILE")


def _schema(reader: ServerReader, name: str, default: str) -> str:
    node = reader.document.get(name, "schema")
    if node is None or node.value is None:
        return default
    if not isinstance(node.value, str) or not _SCHEMA_NAME.fullmatch(node.value):
        reader.faults.append(
            node.fault(f"{name}.schema: expected lower-case letters, digits and _, and no more than 63 of them")
        )
    return str(node.value)


def _fence(reader: ServerReader) -> Fence | None:
    try:
        return read_fence(reader.environ)
    except UsageError as error:
        reader.faults.append(Fault(ENVIRONMENT, 0, error.message))
        return None


def _run(reader: ServerReader) -> RunSettings | None:
    node = reader.document.get("run")
    return reader.settings("run", RunSettings, node) if node is not None and node.value is not None else None
