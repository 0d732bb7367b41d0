"""The orchestrator's own statements, by name."""

from __future__ import annotations

from functools import cache

from etl.alerts.outbox import outbox_statements
from etl.statements.named import POSTGRESQL_DIRECTORY, named_statements

SQL_DIRECTORY = POSTGRESQL_DIRECTORY / "orchestrator"

_OUTBOX = dict(outbox_statements("dw_etl_alerts", message="alert_id"))


@cache
def statement(name: str) -> str:
    return (named_statements(SQL_DIRECTORY / "queries") | _OUTBOX)[name]
