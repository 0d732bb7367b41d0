"""The one way to PostgreSQL: connections without session state, and its errors turned into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2.extensions import connection

from etl.config.settings import PostgreSQLSettings
from etl.errors import ConnectionLostError, ContentionError, EtlError, OverloadedError, StoreError
from etl.redaction import redact

CANCELED = "57014"
DISK_FULL = "53100"
LOCK_NOT_AVAILABLE = "55P03"
FOREIGN_KEY_VIOLATION = "23503"
UNIQUE_VIOLATION = "23505"
CHECK_VIOLATION = "23514"
EXCLUSION_VIOLATION = "23P01"

_CONTENTION = {"40P01", "40001", LOCK_NOT_AVAILABLE, CANCELED}
_OVERLOADED = {"53300", "53400"}
_FULL = ("too many clients", "remaining connection slots", "no more connections allowed")
_SHUTDOWN = {"57P01", "57P02", "57P03", "57P05", "25P03"}


@contextmanager
def transaction(settings: PostgreSQLSettings, statement: str, *, lock_timeout_seconds: int = 30) -> Iterator[Any]:
    """A cursor in one transaction on its own connection: committed at the end, rolled back on any error.

    Settings are local to the transaction, so that a pooler may hand the server connection to anyone afterwards.
    """
    with door(settings, statement):
        held = connect(settings)
        try:
            with held.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('TimeZone', 'UTC', true), set_config('statement_timeout', '0', true), "
                    "set_config('idle_in_transaction_session_timeout', '0', true), "
                    "set_config('lock_timeout', %s, true)",
                    (f"{lock_timeout_seconds}s",),
                )
                yield cursor
            held.commit()
        except BaseException:
            with suppress(psycopg2.Error):
                held.rollback()
            raise
        finally:
            held.close()


def connect(settings: PostgreSQLSettings) -> connection:
    """No startup options: PgBouncer ignores or refuses them."""
    return psycopg2.connect(
        host=settings.host,
        port=settings.port,
        user=settings.user,
        password=settings.password.get_secret_value(),
        dbname=settings.database,
        sslmode=settings.sslmode,
        sslrootcert=settings.ca_file,
        connect_timeout=settings.connect_timeout_seconds,
        application_name="ownlens-etl",
        client_encoding="UTF8",
        keepalives_idle=15,
        keepalives_interval=5,
        keepalives_count=3,
    )


@contextmanager
def door(settings: PostgreSQLSettings, statement: str) -> Iterator[None]:
    """Turns the driver's errors into the error tree; `statement` says in words what was being done."""
    try:
        yield
    except psycopg2.Error as error:
        raise translate(error, settings, statement) from error


def translate(error: psycopg2.Error, settings: PostgreSQLSettings, statement: str) -> EtlError:
    """Transient or terminal is decided here, by SQLSTATE. The row that PostgreSQL quotes as DETAIL is left out."""
    code = error.pgcode or ""
    said = (error.diag.message_primary if code else None) or str(error).strip() or type(error).__name__
    where = f" ({error.diag.constraint_name})" if code and error.diag.constraint_name else ""
    secrets = (settings.password.get_secret_value(),)
    message = redact(f"{settings.address}: {statement}: {said}{where} (SQLSTATE {code or 'none'})", secrets)
    if code in _CONTENTION:
        return ContentionError(f"{message}; it is tried again")
    if code in _OVERLOADED or (not code and any(words in str(error) for words in _FULL)):
        return OverloadedError(f"{message}; lower --parallelism or `writers`, or raise max_connections")
    if code in _SHUTDOWN or code.startswith("08") or (not code and _is_lost(error)):
        return ConnectionLostError(f"{message}; check that the server is up and reachable")
    return StoreError(message, statement=statement)


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE behind one of our errors, '' where there is none."""
    return getattr(error.__cause__, "pgcode", None) or ""


def _is_lost(error: psycopg2.Error) -> bool:
    """No SQLSTATE: the server never answered, or went away in mid-sentence. Wrong passwords and names are no loss."""
    if not isinstance(error, psycopg2.OperationalError | psycopg2.InterfaceError | psycopg2.DatabaseError):
        return False
    said = str(error)
    final = ("authentication failed", "does not exist", "no pg_hba.conf entry", "certificate", "no password supplied")
    return not any(words in said for words in final)
