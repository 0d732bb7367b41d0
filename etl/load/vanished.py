"""Rows that stand in a store and are gone from the source: one rule and one guard for every loader."""

from __future__ import annotations

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.limits import exceeds
from etl.errors import VanishedRowsError


def refuse_too_many_vanished(config: TableLoadConfig, vanished: int, stored: int, target: str) -> None:
    """Before anything is published: a source that was emptied by mistake must not empty the stores."""
    if not exceeds(config.maximum_deleted, vanished, stored):
        return
    raise VanishedRowsError(
        f"{config.table_name}: expected at most {config.maximum_deleted} of the {stored} rows of {target} to have "
        f"vanished from the source (maximum_deleted), found {vanished}; nothing was written. If they are meant to go, "
        f"repeat the run with --maximum-deleted 100%, or raise `maximum_deleted`; if not, mend the source",
        table=config.table_name,
    )
