"""Refused rows into etl.rejects, in the transaction that publishes the others."""

from __future__ import annotations

from typing import Any

from etl.errors import StoreError
from etl.load.postgresql.publication.table import Publication
from etl.model import Destination
from etl.statements.postgresql import rejects


def keep_rejects(cursor: Any, publication: Publication, run_id: str, rejected: int) -> None:
    """New entries for refused rows; entries that wait take the newer row, or end where their row has been loaded."""
    cursor.execute(rejects.REJECTS_EXIST)
    if not cursor.fetchone()[0]:
        if rejected:
            raise StoreError(
                f"{rejected} rows of {publication.config.table_name} break a rule and belong into etl.rejects, which "
                "was not found; let the ledger create its schema in this database first (`Ledger.migrate()`)",
                statement="insert rejects",
                table=publication.config.table_name,
            )
        return
    values = {"run_id": run_id, **reject_owner(publication.config.table_name)}
    if has_waiting(cursor, publication.config.table_name):
        cursor.execute(rejects.resolve_waiting(publication.write), values)
        cursor.execute(rejects.refresh_waiting(publication.write), values)
        if publication.gone is not None:
            cursor.execute(rejects.resolve_waiting(publication.gone.write), values)
        if publication.is_whole:
            cursor.execute(rejects.forget_vanished(publication.write), values)
    if rejected:
        cursor.execute(rejects.insert_rejects(publication.write), values)


def has_waiting(cursor: Any, table_name: str) -> bool:
    cursor.execute(rejects.HAS_WAITING, reject_owner(table_name))
    return bool(cursor.fetchone()[0])


def reject_owner(table_name: str) -> dict[str, str]:
    return {"table_name": table_name, "destination": str(Destination.POSTGRESQL)}
