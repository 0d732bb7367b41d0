"""`python -m etl.orchestrator.work.sql_job`: runs a job's script on PostgreSQL or ClickHouse, as a worker's child.

On PostgreSQL the script is one transaction, its parameters are `%(name)s` (a script that has any writes `%%` for a
percent sign), and the attempt's fence is asked just before it commits. On ClickHouse each statement stands for itself,
parameters are `{name:Type}`, and the fence is asked before each of them. Parameters are bound by the driver, never put
into the text; each run has scheduled_at, interval_from, interval_until, cycle and run_id besides its own.
"""

from __future__ import annotations

import signal
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from datetime import datetime
from types import FrameType
from typing import Any, NoReturn

from psycopg2.extensions import cursor
from psycopg2.extras import Json

from etl.clickhouse.door import ClickHouseDoor
from etl.command.edge import Ended
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.orchestrator.checks import sql_path
from etl.config.settings import PostgreSQLSettings, orchestrator_settings
from etl.errors import EtlError, UsageError
from etl.fencing import Fence
from etl.orchestrator.work.child import Task, run_child, tell
from etl.orchestrator.work.scripts import makes_a_temporary_table, read_script, refuse_transactions, statements_of
from etl.postgresql.connection import LOADER, connect, transaction
from etl.postgresql.door import door
from etl.postgresql.fence import Gate
from etl.postgresql.silence import WatchedConnection
from etl.statements.quoting import clickhouse_literal

LOCK_TIMEOUT_SECONDS = 60
_CHECK_CLIENT = "SET LOCAL client_connection_check_interval = '1s'"
"""The server ends a statement whose client was killed, though it has nothing to send yet."""
_COUNTED = ("INSERT", "UPDATE", "DELETE", "MERGE", "COPY")


def run_script(task: Task) -> dict[str, Any]:
    script = read_script(sql_path(task.command["sql"], task.config_dir))
    store = task.command["store"]
    if store == "postgresql":
        return _on_postgresql(script, task)
    if store == "clickhouse":
        return _on_clickhouse(script, task)
    raise UsageError(f"store: expected postgresql or clickhouse, found {store!r}")


def query_id(fence: Fence, number: int) -> str:
    """By which a statement of an attempt is found in ClickHouse."""
    return f"ownlens-etl {fence.session} {number}"


# PostgreSQL


def _on_postgresql(script: str, task: Task) -> dict[str, Any]:
    settings = task.settings.postgresql
    if settings is None:
        raise UsageError("expected a PostgreSQL database for the script, found none; set ETL_POSTGRES_URL")
    statements = statements_of(script, "postgres")
    refuse_transactions(statements)
    values = _postgresql_values(task) if "%(" in script else None
    with door(settings, task.command["sql"]), closing(connect(settings, LOADER, cursor)) as held:
        held.notices = _Notices()
        return {"records_written": _in_one_transaction(held, settings, statements, values)}


def _in_one_transaction(
    held: WatchedConnection, settings: PostgreSQLSettings, statements: Sequence[str], values: Mapping[str, Any] | None
) -> int:
    limits = {"statement_timeout_seconds": settings.statement_timeout_seconds}
    written = 0
    with transaction(held, **limits, lock_timeout_seconds=LOCK_TIMEOUT_SECONDS, settings=_CHECK_CLIENT) as work:
        for number, statement in enumerate(statements, 1):
            _execute(work, statement, values)
            written += _rows_written(work, statement)
            tell(f"{number}: {work.statusmessage}")
        Gate(settings).require(work, "commit the script")
    return written


def _execute(work: cursor, statement: str, values: Mapping[str, Any] | None) -> None:
    try:
        work.execute(statement, values)
    except KeyError as error:
        raise UsageError(f"the script names a parameter that the run lacks: {error}") from error
    except (ValueError, TypeError, IndexError) as error:
        raise UsageError(f"expected %% for a percent sign in a script with parameters, found: {error}") from error


def _rows_written(work: cursor, statement: str) -> int:
    """CREATE TABLE AS says SELECT, as does what only reads, which has columns."""
    word = (work.statusmessage or "").partition(" ")[0]
    is_made = word == "SELECT" and work.description is None and not makes_a_temporary_table(statement)
    return max(work.rowcount, 0) if word in _COUNTED or is_made else 0


def _postgresql_values(task: Task) -> dict[str, Any]:
    values = {**task.parameters, **task.given}
    return {name: Json(value) if isinstance(value, dict) else value for name, value in values.items()}


class _Notices(list[str]):
    """What the server remarks is printed as it comes."""

    def append(self, notice: str) -> None:
        tell(notice.rstrip())


# ClickHouse


def _on_clickhouse(script: str, task: Task) -> dict[str, Any]:
    settings = task.settings.clickhouse
    if settings is None:
        raise UsageError("expected a ClickHouse database for the script, found none; set ETL_CLICKHOUSE_URL")
    values = _clickhouse_values(task)
    read = written = 0
    with ClickHouseDoor(settings) as clickhouse:
        for number, statement in enumerate(statements_of(script, "clickhouse"), 1):
            _require_fence(task, f"statement {number} of {task.command['sql']}")
            told_by = query_id(task.fence, number) if task.fence else ""
            signal.signal(signal.SIGTERM, _killing(settings, told_by))
            told = clickhouse.told(statement, parameters=values, query_id=told_by)
            read, written = read + told.read_rows, written + told.written_rows
            tell(f"{number}: read {told.read_rows:,} rows, wrote {told.written_rows:,}")
            if told.body:
                tell(told.body.decode("utf-8", "replace").rstrip("\n"))
    return {"records_read": read, "records_written": written}


def _killing(settings: ClickHouseSettings, told_by: str) -> Any:
    """The server goes on with a statement that nobody waits for."""

    def kill(number: int, _: FrameType | None) -> NoReturn:
        if told_by:
            with suppress(EtlError), ClickHouseDoor(settings) as clickhouse:
                clickhouse.execute(f"KILL QUERY WHERE query_id = {clickhouse_literal(told_by)} ASYNC")
        raise Ended(number)

    return kill


def _require_fence(task: Task, doing: str) -> None:
    """Of PostgreSQL: ClickHouse knows nothing of it, and a statement that has begun goes on."""
    if task.fence is None:
        return
    server = orchestrator_settings(task.settings).of_attempt(task.fence)
    with door(server, doing), closing(connect(server, LOADER, cursor)) as held, transaction(held) as work:
        Gate(server).require(work, doing)


def _clickhouse_values(task: Task) -> dict[str, str]:
    """As the server reads them; instants in the form that its types know, in UTC as its session is."""
    times = {name: _clickhouse_time(value) for name, value in task.given.items() if isinstance(value, str)}
    values = {**task.parameters, **task.given, **times}
    return {name: _clickhouse_text(value) for name, value in values.items() if value is not None}


def _clickhouse_time(value: str) -> str:
    try:
        return f"{datetime.fromisoformat(value):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return value  # a cycle's name


def _clickhouse_text(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ",".join(map(_clickhouse_element, value)) + "]"
    return "true" if value is True else "false" if value is False else str(value)


def _clickhouse_element(value: Any) -> str:
    return clickhouse_literal(value) if isinstance(value, str) else _clickhouse_text(value)


if __name__ == "__main__":
    run_child(run_script)
