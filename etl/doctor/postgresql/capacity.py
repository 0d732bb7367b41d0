"""How many connections a run opens at most, against what the server, the database and the role still allow."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from etl.config.settings import PostgreSQLSettings, Settings
from etl.doctor.findings import Answer, ok, warning
from etl.doctor.postgresql.server import Server
from etl.statements.quoting import postgresql_identifier

_OF_THE_LEDGER = 2
"""Its heartbeat, and whoever looks for what a session waits for."""


def connections(needed: int) -> Callable[[Server], Answer]:
    def look(server: Server) -> Answer:
        facts = server.facts
        limits = [facts["connections"] - facts["connections_used"]]
        limits += [facts[name] for name in ("connections_of_role", "connections_of_database") if facts[name] >= 0]
        free = max(0, min(limits))
        opens = f"; a run opens up to {needed} there" if needed else ""
        said = f"{free} free of {facts['connections']}{opens}"
        if free >= needed:
            return ok(said)
        return warning(
            said,
            expected=f"at least {needed}",
            next_step=f"raise max_connections by {needed - free} (or what is lower: CONNECTION LIMIT of role "
            f"{postgresql_identifier(server.user)} or of the database), or lower run.parallelism and run.writers in "
            "etl.yaml",
        )

    return look


def needed_by_address(settings: Settings, roles: Mapping[str, PostgreSQLSettings]) -> dict[tuple[str, int], int]:
    """By host and port: roles that share a server open their connections there together."""
    needed: dict[tuple[str, int], int] = {}
    for role, server in roles.items():
        at = server.host, server.port
        needed[at] = needed.get(at, 0) + _needed_of(role, settings)
    return needed


def _needed_of(role: str, settings: Settings) -> int:
    """About: tables side by side, each measured, read by as many tasks as there are cores, written by `writers`."""
    run = settings.run
    return {
        "source": 1 + run.parallelism + (os.cpu_count() or 1),
        "postgresql": run.parallelism * (run.writers + 1),
        "ledger": run.parallelism + _OF_THE_LEDGER,
    }.get(role, 0)
