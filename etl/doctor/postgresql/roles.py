"""What the PostgreSQL servers of a configuration are for. One server may have several roles: what is true of the server
is asked once, what a role needs of it for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from etl.config.settings import PostgreSQLSettings
from etl.config.tables.models import PostgreSQLSource
from etl.doctor.asked import Asked
from etl.doctor.examination import Subject, unasked, unconfigured
from etl.doctor.findings import ok
from etl.doctor.postgresql import capacity, server, source, target, tool
from etl.doctor.postgresql.pooler import pooler
from etl.doctor.postgresql.rights import Look
from etl.model import Destination
from etl.postgresql_types import OLDEST_SOURCE, OLDEST_TARGET


@dataclass(frozen=True)
class Role:
    """`checks` are its own; `why_not` says why there is none to ask, beyond that no server is configured."""

    name: str
    server: PostgreSQLSettings | None
    setting: str
    checks: Mapping[str, Look]
    why_not: str = ""
    is_missed: bool = False
    oldest: int = OLDEST_TARGET

    @property
    def place(self) -> tuple[object, ...]:
        at = self.server
        return (at.host, at.port, at.database, at.user) if at else ()


def subjects(asked: Asked) -> Iterator[Subject[Any]]:
    roles = [_source(asked), _target(asked), _ledger(asked), _staging(asked), _orchestrator(asked)]
    needed = capacity.needed_by_address(asked.settings, {each.name: each.server for each in roles if each.server})
    first: dict[tuple[object, ...], str] = {}
    for role in roles:
        if role.server is None:
            yield _without_server(role)
            continue
        opened = partial(server.opened, role.server, asked.clock)
        # other versions are read than written, and a standby will do
        same = role.name if role.name == "source" else first.setdefault(role.place, role.name)
        is_first = same == role.name
        common = _of_the_server(role, needed[role.server.host, role.server.port]) if is_first else _as_of(same)
        yield Subject(role.name, {**common, **role.checks}, opened, role.setting)


def _as_of(other: str) -> dict[str, Look]:
    return {"connection": lambda _: ok(f"the server of {other}")}


def _of_the_server(role: Role, needed: int) -> dict[str, Look]:
    access: dict[str, Look] = {"standby": server.standby} if role.name == "source" else {"writable": server.writable}
    return {
        "connection": server.connection,
        "tls": server.tls,
        "version": server.version(role.oldest),
        "pooler": pooler,
        **access,
        "connections": capacity.connections(needed),
        "space": server.space,
        "clock": server.clock,
    }


def _without_server(role: Role) -> Subject[Any]:
    if role.why_not:
        return unasked(role.name, role.why_not)
    return unconfigured(role.name, role.setting, is_missed=role.is_missed)


def _source(asked: Asked) -> Role:
    tables = [table for table in asked.tables if isinstance(table.source, PostgreSQLSource)]
    found = asked.settings.source if tables else None
    why_not = "" if tables else "no table to load is read from PostgreSQL"
    checks = source.checks(tables)
    is_missed = bool(asked.wanted)
    return Role("source", found, "ETL_SOURCE_POSTGRES_URL", checks, why_not, is_missed, oldest=OLDEST_SOURCE)


def _target(asked: Asked) -> Role:
    name = Destination.POSTGRESQL
    is_wanted = name in asked.wanted
    why_not = "" if is_wanted or not asked.named else "not among --load-destinations"
    return Role(
        "postgresql",
        asked.settings.postgresql if is_wanted else None,
        "ETL_POSTGRES_URL",
        target.checks(asked.loads(name)),
        why_not,
        is_missed=is_wanted,
    )


def _ledger(asked: Asked) -> Role:
    setting = "ETL_LEDGER_POSTGRES_URL, or ETL_POSTGRES_URL"
    checks = tool.checks(tool.ledger_tool())
    return Role("ledger", asked.settings.ledger, setting, checks, is_missed=bool(asked.wanted))


def _staging(asked: Asked) -> Role:
    settings = asked.settings
    own = tool.staging_tool(settings.staging_schema, is_wanted=settings.staging is not None)
    found = settings.staging or settings.postgresql
    return Role("staging", found, "ETL_STAGING_POSTGRES_URL", tool.checks(own), "no server is configured")


def _orchestrator(asked: Asked) -> Role:
    settings = asked.settings
    own = tool.orchestrator_tool(settings.orchestrator_schema, is_wanted=settings.orchestrator is not None)
    found = settings.orchestrator or settings.ledger
    return Role("orchestrator", found, "ETL_ORCHESTRATOR_POSTGRES_URL", tool.checks(own), "no server is configured")
