"""What a run needs of its source: to see and read each table, whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from etl.config.tables.models import PostgreSQLSource, RowSecurity, TableConfig
from etl.doctor.findings import Answer, failed, ok, some, warning
from etl.doctor.postgresql.rights import Look, Place
from etl.doctor.postgresql.server import Server
from etl.statements.quoting import postgresql_identifier, postgresql_name

_UTC = ("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Zulu", "Etc/Zulu", "UCT", "Etc/UCT", "Universal", "Etc/Universal")


def checks(tables: Sequence[TableConfig]) -> dict[str, Look]:
    """`tables` are those that are read from PostgreSQL."""
    filtered = {_place(table) for table in tables if _source(table).row_security is RowSecurity.FILTER}
    places = list(dict.fromkeys(map(_place, tables)))

    @cache
    def found(server: Server) -> list[dict[str, Any]]:
        schemas, names = zip(*places, strict=True) if places else ((), ())
        return server.ask("source_tables", {"schemas": list(schemas), "tables": list(names)})

    return {
        "tables": lambda server: _tables(found(server)),
        "privileges": lambda server: _privileges(found(server), server.user),
        "row_security": lambda server: _row_security(found(server), filtered, server.user),
        "time_zone": lambda server: _time_zone(found(server), server.facts["time_zone"]),
    }


def _tables(rows: Sequence[Mapping[str, Any]]) -> Answer:
    missing = [_name(row) for row in rows if not row["has_table"]]
    if missing:
        return failed(
            f"no {some(missing)}",
            expected=f"the {len(rows)} tables of the configuration",
            next_step="create them, correct `source` of their entries, or name another database in "
            "ETL_SOURCE_POSTGRES_URL (an embedded one is filled by `etl sample`)",
        )
    return ok(f"all {len(rows)} of the configuration stand")


def _privileges(rows: Sequence[Mapping[str, Any]], user: str) -> Answer:
    """A schema that may not be used hides what could be read in it."""
    closed = dict.fromkeys(row["schema_name"] for row in rows if row["has_schema"] and not row["may_use_schema"])
    unread = [row for row in rows if row["has_table"] and not row["may_read"]]
    if not closed and not unread:
        return ok(f"{user} may read all tables of the configuration that stand")
    lacking = [f"USAGE on schema {schema}" for schema in closed]
    if unread:
        lacking.append(f"SELECT on {some(map(_name, unread))}")
    return failed(
        f"{user} lacks {', '.join(lacking)}",
        expected="USAGE on the schemas and SELECT on the tables of the configuration",
        next_step=" ".join(_grants(closed, unread, user)),
    )


def _grants(closed: Iterable[str], unread: Sequence[Mapping[str, Any]], user: str) -> Iterable[str]:
    """Of the tables by their names: others of the schema are none of a run's business."""
    role = postgresql_identifier(user)
    for schema in closed:
        yield f"GRANT USAGE ON SCHEMA {postgresql_identifier(schema)} TO {role};"
    for schema in dict.fromkeys(row["schema_name"] for row in unread):
        names = [row["table_name"] for row in unread if row["schema_name"] == schema]
        yield f"GRANT SELECT ON {', '.join(postgresql_name(schema, name) for name in names)} TO {role};"


def _row_security(rows: Sequence[Mapping[str, Any]], filtered: set[Place], user: str) -> Answer:
    hidden = [row for row in rows if row["hides_rows"] and (row["schema_name"], row["table_name"]) not in filtered]
    if not hidden:
        return ok("no policy hides rows that are not meant to be hidden")
    return failed(
        f"policies may hide rows of {some(map(_name, hidden))} from {user}",
        expected="tables whose rows this role sees all",
        next_step=f"ALTER ROLE {postgresql_identifier(user)} BYPASSRLS; or write `row_security: filter` under `source` "
        "of these entries, where the visible rows are meant",
    )


def _time_zone(rows: Sequence[Mapping[str, Any]], zone: str) -> Answer:
    local = [_name(row) for row in rows if row["has_local_times"]]
    if zone in _UTC or not local:
        return ok(f"{zone}; sessions of a run are in UTC" + ("" if local else ", and no column is without a zone"))
    return warning(
        f"{zone}, and {len(local)} tables have columns of timestamp without time zone, which are taken as UTC: "
        f"{some(local)}",
        expected="UTC in columns without a zone",
        next_step="where the application writes local time there, make them timestamptz, or `derive` them in transform",
    )


def _source(table: TableConfig) -> PostgreSQLSource:
    assert isinstance(table.source, PostgreSQLSource)  # noqa: S101
    return table.source


def _place(table: TableConfig) -> Place:
    return _source(table).schema_name, _source(table).table


def _name(row: Mapping[str, Any]) -> str:
    return f"{row['schema_name']}.{row['table_name']}"
