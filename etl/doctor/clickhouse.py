"""What ClickHouse is asked: how it is reached, what it is, and whether a load may do there what it does."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.config.urls import is_loopback
from etl.doctor.clock import Reading, compared
from etl.doctor.examination import STATEMENT_SECONDS, Clock, Subject
from etl.doctor.findings import Answer, failed, not_asked, ok, some, warning
from etl.errors import StoreError
from etl.statements.clickhouse.catalog import DATABASE_ENGINE
from etl.statements.clickhouse.server import DISKS, SERVER_FACTS, all_tables, check_grant, create_database, grant

TESTED_VERSION = (25, 8)
"""The tests of this house run against it; CREATE TABLE … CLONE AS, CHECK GRANT and refreshable views are not much
older."""

PRIVILEGES = (
    *("SELECT", "INSERT", "ALTER TABLE", "CREATE TABLE", "CREATE VIEW", "DROP TABLE", "DROP VIEW", "TRUNCATE"),
    *("SHOW TABLES", "SHOW COLUMNS", "SYSTEM VIEWS"),
)
"""On the database of the targets: staging tables are made and dropped there, clones exchanged (EXCHANGE is CREATE and
DROP), partitions moved, aggregates made and refreshed."""

CATALOG = ("databases", "tables", "columns", "parts", "data_skipping_indices", "view_refreshes")
"""Of the database `system`: what a load looks up there. Some of it everybody may."""

_LITTLE_BYTES, _LITTLE_SHARE = 5 * 2**30, 0.05


@dataclass(frozen=True)
class Server:
    settings: ClickHouseSettings
    door: ClickHouseDoor
    version: str
    user: str
    time_zone: str
    is_read_only: bool
    clock: Reading


def subject(settings: ClickHouseSettings, loads: Sequence[ClickHouseTableLoadConfig], clock: Clock) -> Subject[Server]:
    databases = list(dict.fromkeys(load.target_database or settings.database for load in loads))
    checks: dict[str, Callable[[Server], Answer]] = {
        "connection": lambda at: ok(f"ClickHouse {at.version} at {settings.address}, as {at.user}"),
        "tls": _tls,
        "version": _version,
        "writable": _writable,
        "database": lambda at: _database(at, databases),
        "privileges": lambda at: _privileges(at, databases),
        "time_zone": _time_zone,
        "space": _space,
        "clock": lambda at: compared(at.clock),
    }
    return Subject("clickhouse", checks, lambda: _opened(settings, clock), "ETL_CLICKHOUSE_URL")


@contextmanager
def _opened(settings: ClickHouseSettings, clock: Clock) -> Iterator[Server]:
    """In the database that every server has: whether the configured one is there is a question of its own."""
    hurried = settings.model_copy(
        update={"database": "system", "timeout_seconds": min(settings.timeout_seconds, STATEMENT_SECONDS)}
    )
    with ClickHouseDoor(hurried) as door:
        door.query("SELECT 1")  # what the first answer waits for is not the clock's
        began = clock()
        [[version, user, time_zone, there, read_only]] = door.query(SERVER_FACTS)
        reading = Reading(began, clock(), there)
        yield Server(settings, door, version, user, time_zone, read_only not in ("0", None, ""), reading)


def _tls(at: Server) -> Answer:
    settings = at.settings
    if not settings.secure and is_loopback(settings.host):
        return ok("none, and none needed on loopback")
    if not settings.secure:
        return warning(
            "none: password and rows travel in the clear",
            expected="https off loopback",
            next_step="https_port at the server, and https://… in ETL_CLICKHOUSE_URL",
        )
    if not settings.verify:
        return warning(
            "encrypted, and whose certificate it is is not looked at (verify=false)",
            expected="a verified certificate",
            next_step="leave verify=false out, and name the server's authority in ETL_CLICKHOUSE_CA_FILE",
        )
    return ok("certificate verified")


def _version(at: Server) -> Answer:
    oldest = ".".join(map(str, TESTED_VERSION))
    numbers = tuple(int(part) for part in at.version.split(".")[:2])
    if numbers >= TESTED_VERSION:
        return ok(f"{at.version} ({oldest} or newer is tested)")
    return warning(at.version, expected=f"{oldest} or newer, which is tested", next_step=f"upgrade it to {oldest}")


def _writable(at: Server) -> Answer:
    if not at.is_read_only:
        return ok("yes")
    return failed(
        f"the profile of {at.user} is read-only (readonly)",
        expected="readonly = 0",
        next_step="give the user a profile without readonly",
    )


def _database(at: Server, databases: Collection[str]) -> Answer:
    for name in databases:
        rows = at.door.query(DATABASE_ENGINE, parameters={"database": name})
        if not rows:
            return failed(
                f"no database {name} (or {at.user} may not see it)",
                expected=f"database {name} with engine Atomic",
                next_step=create_database(name),
            )
        if rows[0][0] != "Atomic":
            return failed(
                f"database {name} has engine {rows[0][0]}",
                expected="engine Atomic, whose tables can be exchanged",
                next_step=f"{create_database(f'{name}_atomic')}, and name it in ETL_CLICKHOUSE_URL",
            )
    return ok(f"{some(databases)}: engine Atomic")


def _privileges(at: Server, databases: Collection[str]) -> Answer:
    wanted = {all_tables(name): PRIVILEGES for name in databases} | {f"system.{name}": ("SELECT",) for name in CATALOG}
    lacking = {on: [each for each in privileges if not _may(at, each, on)] for on, privileges in wanted.items()}
    lacking = {on: privileges for on, privileges in lacking.items() if privileges}
    if not lacking:
        return ok(f"{at.user} may do in {some(databases)} what a load does")
    return failed(
        f"{at.user} lacks " + "; ".join(f"{', '.join(each)} on {on}" for on, each in lacking.items()),
        expected=f"{', '.join(PRIVILEGES)} on the targets' database, SELECT on what it looks up in system",
        next_step="; ".join(grant(", ".join(each), on, at.user) for on, each in lacking.items()),
    )


def _may(at: Server, privilege: str, on: str) -> bool:
    return bool(at.door.query(check_grant(privilege, on))[0][0])


def _time_zone(at: Server) -> Answer:
    return ok(f"{at.time_zone}; a load's columns and sessions say UTC themselves")


def _space(at: Server) -> Answer:
    """Of the fullest disk: a load writes a second copy of what it changes before it exchanges the two."""
    try:
        disks = at.door.query(DISKS)
    except StoreError:
        return not_asked(f"{at.user} may not read system.disks")
    name, free, total = disks[0]
    found = f"{free / 2**30:,.1f} GiB free of {total / 2**30:,.1f} on disk {name}"
    if free < max(_LITTLE_BYTES, total * _LITTLE_SHARE):
        return warning(found, expected="5 GiB and 5% at least", next_step="free space there, or add a disk")
    return ok(found)
