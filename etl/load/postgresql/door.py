"""The one way to PostgreSQL: connections without session state, and its errors turned into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
from psycopg2.extensions import connection

from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError, StoreError
from etl.postgresql.next_steps import Advice, next_step
from etl.postgresql.sqlstates import transient_kind
from etl.redaction import redact
from etl.statements.postgresql import row_security

_ADVICE = Advice(
    statement="raise postgresql.statement_timeout_seconds",
    lock="end that session, or raise run.lock_timeout_seconds",
    connections="lower --parallelism or `writers`",
)


@contextmanager
def transaction(settings: PostgreSQLSettings, statement: str, *, lock_timeout_seconds: int = 30) -> Iterator[Any]:
    """A cursor in one transaction on its own connection: committed at the end, rolled back on any error.

    Settings are local to the transaction, so that a pooler may hand the server connection to anyone afterwards. Rows of
    the target that a policy hides would be taken for missing ones: a table under row-level security is refused.
    """
    with door(settings, statement):
        held = connect(settings)
        try:
            with held.cursor() as cursor:
                cursor.execute(
                    # texts must not depend on who asks: rows are kept as JSON, and compared as text without a key
                    "SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO, YMD', true), "
                    "set_config('IntervalStyle', 'postgres', true), set_config('extra_float_digits', '1', true), "
                    "set_config('bytea_output', 'hex', true), set_config('statement_timeout', %s, true), "
                    "set_config('idle_in_transaction_session_timeout', '0', true), "
                    "set_config('row_security', 'off', true), set_config('lock_timeout', %s, true)",
                    (f"{settings.statement_timeout_seconds}s", f"{lock_timeout_seconds}s"),
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
    parameters: dict[str, Any] = {
        **settings.connection_parameters,
        "application_name": settings.session_name(),
        "client_encoding": "UTF8",
        "keepalives_idle": 15,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    }
    opened: connection = psycopg2.connect(**parameters)
    return opened


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
    if row_security.is_refused(error):
        said = row_security.explain(said, settings.user)
    where = f" ({error.diag.constraint_name})" if code and error.diag.constraint_name else ""
    secrets = (settings.password.get_secret_value(),)
    message = redact(f"{settings.address}: {statement}: {said}{where} (SQLSTATE {code or 'none'})", secrets)
    kind = transient_kind(code, said, type(error))
    if kind is None:
        return StoreError(message, statement=statement)
    return kind(f"{message}; {next_step(kind, code, said, _ADVICE)}")


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE behind one of our errors, '' where there is none."""
    return getattr(error.__cause__, "pgcode", None) or ""
