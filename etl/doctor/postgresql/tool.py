"""Tables that a tool makes by numbered migrations: the ledger's, the staging loader's, the orchestrator's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etl.command.typed import etl_as_typed
from etl.doctor.findings import Answer, Status, failed, not_asked, ok, some, warning
from etl.doctor.postgresql import rights
from etl.doctor.postgresql.rights import Look
from etl.doctor.postgresql.server import Server
from etl.errors import TerminalError
from etl.ledger import statements as ledger
from etl.ledger.migrations import missing_of, read_migrations
from etl.orchestrator.database import queries as orchestrator
from etl.staging.ledger import queries as staging
from etl.statements.quoting import postgresql_identifier

_READ, _WRITTEN = ("SELECT",), ("SELECT", "INSERT", "UPDATE")


@dataclass(frozen=True)
class Tool:
    """`prefix` begins the names of its tables; `migrate` is the command that makes them, '' where each run does."""

    schema: str
    prefix: str
    directory: Path
    named: Callable[[str], str]
    migrate: str = ""
    is_wanted: bool = True
    """False: where its tables do not stand, nobody has asked for them."""
    rights: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Of tables that need others than to be read and written."""


def ledger_tool() -> Tool:
    deleted_from = (*_WRITTEN, "DELETE")
    own = {"migrations": _READ, "leases": deleted_from, "watermarks": deleted_from}
    return Tool("etl", "", ledger.SQL_DIRECTORY, ledger.statement, rights=own)


def staging_tool(schema: str, *, is_wanted: bool) -> Tool:
    """What the page and the worker need beside the loader is theirs to say."""
    inserted = {"etl_staging_migrations": _READ, "etl_run_rejects": ("SELECT", "INSERT")}
    return Tool(schema, "etl_", staging.SQL_DIRECTORY, staging.statement, "staging init", is_wanted, inserted)


def orchestrator_tool(schema: str, *, is_wanted: bool) -> Tool:
    directory, own = orchestrator.SQL_DIRECTORY, {"dw_etl_migrations": _READ}
    return Tool(schema, "dw_etl_", directory, orchestrator.statement, "orchestrator migrate", is_wanted, own)


def checks(tool: Tool) -> dict[str, Look]:
    return {
        "migrations": lambda server: _migrations(server, tool),
        "privileges": lambda server: _privileges(server, tool),
    }


def _migrations(server: Server, tool: Tool) -> Answer:
    known = read_migrations(tool.directory / "migrations")
    [found] = _ask(server, tool, "ledger_exists")
    if not found["has_table"]:
        return _not_installed(server, tool)
    applied = {row["name"]: row["sha256"] for row in _ask(server, tool, "applied_migrations")}
    try:
        missing = [each.name for each in missing_of(known, applied)]
    except TerminalError as error:
        said, _, step = error.message.partition("; ")
        return failed(said, expected="migrations that this version knows, as it knows them", next_step=step)
    if not missing:
        return ok(f"all {len(known)} applied")
    if not tool.migrate:
        made = rights.schemas(server, [tool.schema])
        return ok(f"{some(missing)} to be applied, which the next run does") if made.status is Status.OK else made
    step = f"{etl_as_typed()} {tool.migrate}"
    return failed(f"not applied: {some(missing)}", expected=f"all {len(known)}", next_step=step)


def _not_installed(server: Server, tool: Tool) -> Answer:
    said = f"no tables in schema {tool.schema} yet"
    if not tool.migrate:
        return ok(f"{said}; the first run makes them")
    step = f"{etl_as_typed()} {tool.migrate}"
    if tool.is_wanted:
        return warning(said, expected="the tool's tables", next_step=step)
    return not_asked(f"{said}, and no server is named for it", next_step=f"{step}, where it is to be used")


def _privileges(server: Server, tool: Tool) -> Answer:
    """To write the tables that stand; where none does, to make them."""
    names = [row["table_name"] for row in server.ask("tables_of", {"schema": tool.schema, "prefix": tool.prefix})]
    if not names:
        return rights.schemas(server, [tool.schema]) if tool.is_wanted else not_asked("no tables yet")
    used = rights.schemas(server, [], [tool.schema])
    if used.status is not Status.OK:
        return used
    needed = {(tool.schema, name): tool.rights.get(name, _WRITTEN) for name in names}
    return rights.tables(server, rights.standing(server, list(needed)), needed)


def _ask(server: Server, tool: Tool, name: str) -> list[dict[str, Any]]:
    search_path = f"SET LOCAL search_path = {postgresql_identifier(tool.schema)}"
    return server.ask_text(name, tool.named(name), settings=search_path)
