"""The modes that write only where no target stands: what they say of one that does."""

from __future__ import annotations

from collections.abc import Callable

from etl.config.destinations.load_config import TableLoadConfig
from etl.errors import ConflictError

Existing = Callable[[TableLoadConfig, str], str]
"""Given the target's name, why nothing is written."""


def leave_existing(config: TableLoadConfig, target: str) -> str:
    return f"the target exists (mode: {config.mode})"


def refuse_existing(config: TableLoadConfig, target: str) -> str:
    raise ConflictError(
        f"expected no target (mode: {config.mode}), found {target}; remove it or choose another mode",
        table=config.table_name,
        destination=config.destination,
    )
