"""The driver's door to the source: every psycopg2 error becomes one of ours, transient or terminal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from psycopg2.extensions import connection as Connection

from etl.config.settings import PostgreSQLSettings
from etl.errors import ConnectionLostError, ContentionError, OverloadedError, SourceError

SESSION = (
    # pg_dump's own: a long read is no mistake, and the server must not end the idle transaction that holds the snapshot
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # texts and fingerprints must not depend on who asks
    "SET LOCAL TimeZone = 'UTC'",
    "SET LOCAL DateStyle = 'ISO, YMD'",
    "SET LOCAL IntervalStyle = 'postgres'",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL extra_float_digits = 1",
)
"""Holds for one transaction only, so that it works through a pooler."""

_TERMINAL = (
    psycopg2.errors.InsufficientPrivilege,
    psycopg2.errors.InvalidAuthorizationSpecification,
    psycopg2.errors.InvalidPassword,
    psycopg2.errors.InvalidCatalogName,
)
_OVERLOADED = (psycopg2.errors.TooManyConnections, psycopg2.errors.OutOfMemory)
_CONTENTION = (psycopg2.errors.LockNotAvailable, psycopg2.errors.DeadlockDetected)


@contextmanager
def source_door(settings: PostgreSQLSettings, doing: str, table: str | None = None) -> Iterator[None]:
    """`doing` completes "while …" in the message."""
    try:
        yield
    except _TERMINAL as error:
        raise SourceError(_message(settings, doing, error), table=table) from error
    except _OVERLOADED as error:
        raise OverloadedError(_message(settings, doing, error), table=table) from error
    except _CONTENTION as error:
        raise ContentionError(_message(settings, doing, error), table=table) from error
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        # a refused password has no SQLSTATE while connecting
        kind = SourceError if _is_refusal(error) else ConnectionLostError
        raise kind(_message(settings, doing, error), table=table) from error
    except psycopg2.Error as error:
        raise SourceError(_message(settings, doing, error), table=table) from error


def connect(settings: PostgreSQLSettings) -> Connection:
    """An autocommit connection: transactions are begun in words, since the snapshot's needs a mode of its own."""
    connection = psycopg2.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password.get_secret_value(),
        dbname=settings.database,
        sslmode=settings.sslmode,
        sslrootcert=settings.ca_file,
        connect_timeout=settings.connect_timeout_seconds,
        application_name="ownlens-etl extract",
        keepalives_idle=30,
    )
    connection.autocommit = True
    return connection


def _is_refusal(error: psycopg2.Error) -> bool:
    text = str(error)
    return "authentication failed" in text or ("database" in text and "does not exist" in text)


def _message(settings: PostgreSQLSettings, doing: str, error: psycopg2.Error) -> str:
    return f"the source {settings.address} answered, while {doing}: {str(error).strip()}"
