"""What a role must be granted to load files and do no more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from etl.statements.quoting import postgresql_identifier, postgresql_name

_RIGHTS = {
    "ingestion_manifest": "SELECT, INSERT, UPDATE",
    "ingestion_batches": "SELECT, INSERT",
    "ingestion_rejects": "SELECT, INSERT",
    "ingestion_alerts": "SELECT, INSERT, UPDATE",
}


@dataclass(frozen=True)
class Places:
    """`table_schema` is None for a target that is not there; `sequences`, quoted, are what its defaults draw from."""

    database: str
    manifest_schema: str
    table_schema: str | None
    sequences: Sequence[str] = ()


def grant_statements(places: Places, role: str, table: str) -> list[str]:
    """`table` may hold its schema; without one it is where `places` says. Empty: the target's grants are left out."""
    grantee = postgresql_identifier(role)
    given_schema, _, name = table.rpartition(".")
    schema = given_schema or places.table_schema or places.manifest_schema
    schemas = dict.fromkeys([places.manifest_schema, *([schema] if table else [])])
    statements = [f"GRANT CONNECT, TEMPORARY ON DATABASE {postgresql_identifier(places.database)} TO {grantee};"]
    statements += [f"GRANT USAGE ON SCHEMA {postgresql_identifier(each)} TO {grantee};" for each in schemas]
    for manifest_table, rights in _RIGHTS.items():
        statements.append(f"GRANT {rights} ON {postgresql_name(places.manifest_schema, manifest_table)} TO {grantee};")
    if table:
        statements.append(f"GRANT SELECT, INSERT, UPDATE ON {postgresql_name(schema, name)} TO {grantee};")
    statements += [f"GRANT USAGE ON SEQUENCE {sequence} TO {grantee};" for sequence in places.sequences]
    return statements
