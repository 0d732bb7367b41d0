"""Upkeep of targets that runs do: one function a statement, on a cursor of the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etl.errors import LockedError
from etl.ledger.statements import statement
from etl.ledger.values import MaintenanceRecord
from etl.model import Destination, Maintenance, MaintenanceResult


def is_due(cursor: Any, where: Mapping[str, str], schedule: Maintenance) -> bool:
    cursor.execute(statement("maintenance_due"), {**where, "schedule": str(schedule)})
    return bool(cursor.fetchone()["is_due"])


def begin(cursor: Any, run_id: str, where: Mapping[str, str]) -> None:
    cursor.execute(statement("begin_maintenance"), {**where, "run_id": run_id})
    if cursor.fetchone() is None:
        raise LockedError(
            f"{where['table_name']} in {where['destination']}: expected run {run_id} to be alive, found that it has "
            "ended or was declared dead; the next run does this upkeep"
        )


def complete(cursor: Any, run_id: str, result: MaintenanceResult) -> None:
    cursor.execute(statement("complete_maintenance"), {**vars(result), "run_id": run_id})


def fail(cursor: Any, run_id: str, where: Mapping[str, str], failure: Mapping[str, Any]) -> None:
    cursor.execute(statement("fail_maintenance"), {**where, **failure, "run_id": run_id})


def of_run(cursor: Any, run_id: str) -> list[MaintenanceRecord]:
    cursor.execute(statement("maintenance"), {"run_id": run_id})
    return [MaintenanceRecord(**{**row, "destination": Destination(row["destination"])}) for row in cursor.fetchall()]


def place(table_name: str, destination: Destination, target: str) -> dict[str, str]:
    return {"table_name": table_name, "destination": str(destination), "target": target}
