"""Whether the servers that a run needs are there, and stand to one another as they must; said before it begins."""

from __future__ import annotations

from collections.abc import Collection

from etl.config.settings import PostgreSQLSettings, Settings
from etl.errors import EtlError, TransientError, UsageError
from etl.load.clickhouse.door import ClickHouseDoor
from etl.load.s3.store import StoreAddress, require_bucket
from etl.model import Destination


def configured_destinations(settings: Settings) -> tuple[Destination, ...]:
    return tuple(name for name in Destination if getattr(settings, name.value) is not None)


def require_servers(settings: Settings, destinations: Collection[Destination]) -> None:
    """UsageError for destinations without a server, and for a ledger that PostgreSQL's loads could not commit with."""
    missing = [name.value for name in destinations if name not in configured_destinations(settings)]
    if missing or not destinations:
        raise UsageError(
            f"expected servers for {', '.join(missing) or 'at least one destination'}, found none configured; "
            "set their variables or entries in etl.yaml (docs/configuration.md)"
        )
    if Destination.POSTGRESQL in destinations:
        require_one_database(settings)


def require_one_database(settings: Settings) -> None:
    """Rows, rejects and ledger entry are one transaction: that makes a load into PostgreSQL exactly once."""
    ledger, warehouse = ledger_settings(settings), settings.postgresql
    if warehouse is not None and ledger.address != warehouse.address:
        raise UsageError(
            "expected the ledger in the database that PostgreSQL's loads go into, since both commit together; "
            f"found the ledger at {ledger.address} and the target at {warehouse.address}; leave out "
            "ETL_LEDGER_POSTGRES_URL (or `ledger` in etl.yaml), spell both alike, or load into the other destinations"
        )


def ledger_settings(settings: Settings) -> PostgreSQLSettings:
    if settings.ledger is None:
        raise UsageError("expected a PostgreSQL database for the ledger, found none; set ETL_POSTGRES_URL")
    return settings.ledger


def require_databases(settings: Settings, destinations: Collection[Destination]) -> None:
    """What no retry helps is said once, before the run: a database or bucket that is not there, a wrong password.

    A server that does not answer fails its own loads alone, after they have tried for a while.
    """
    faults = []
    for destination in destinations:
        try:
            _ask(settings, destination)
        except TransientError:
            continue
        except EtlError as error:
            faults.append(f"  {destination}: {error}")
    if faults:
        raise UsageError("\n".join(["expected destinations that can be loaded into, nothing was begun:", *faults]))


def _ask(settings: Settings, destination: Destination) -> None:
    if destination is Destination.CLICKHOUSE and settings.clickhouse:
        with ClickHouseDoor(settings.clickhouse) as door:
            door.query("SELECT 1")
    if destination is Destination.S3 and settings.s3:
        require_bucket(StoreAddress.of(settings.s3))
