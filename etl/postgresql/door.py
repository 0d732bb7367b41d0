"""The driver's door: psycopg2's errors become ours, transient or terminal, with a next step and no value of a row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import psycopg2

from etl.config.settings import PostgreSQLSettings
from etl.errors import EtlError, StoreError, UsageError
from etl.names import readable
from etl.postgresql.next_steps import MAIN_JOB, Advice, lasting_step, next_step, refused_step
from etl.postgresql.sqlstates import transient_kind
from etl.redaction import redact
from etl.statements.postgresql import row_security

Refusal = Callable[[str], EtlError]
"""Makes the error of what no retry mends."""


@contextmanager
def door(
    settings: PostgreSQLSettings, doing: str, advice: Advice = MAIN_JOB, refusal: Refusal | None = None
) -> Iterator[None]:
    """`doing` says in words what was being done; `refusal` is a StoreError where nothing else is said."""
    try:
        yield
    except psycopg2.Error as error:
        raise translate(error, settings, doing, advice, refusal) from error
    except UnicodeEncodeError as error:
        raise UsageError(f"{doing}: expected text in UTF-8, found {readable(error.object)!r}") from error


def translate(
    error: psycopg2.Error,
    settings: PostgreSQLSettings,
    doing: str,
    advice: Advice = MAIN_JOB,
    refusal: Refusal | None = None,
) -> EtlError:
    """Transient or terminal by SQLSTATE; without one (no answer came) by what libpq says."""
    code, said = error.pgcode or "", _said(error)
    message = redact(
        f"{settings.address}: {doing}: {_explained(error, said, settings, advice)}"
        + (f" (SQLSTATE {code})" if code else ""),
        (settings.password.get_secret_value(),),
    )
    if kind := transient_kind(code, said, type(error)):
        return kind(f"{message}; {next_step(kind, code, said, advice)}")
    remedy = lasting_step(code, said, advice) if code else refused_step(said)
    return (refusal or partial(StoreError, statement=doing))(f"{message}; {remedy}" if remedy else message)


def sqlstate(error: BaseException) -> str:
    """The SQLSTATE behind one of our errors, '' where there is none."""
    return getattr(error.__cause__, "pgcode", None) or ""


def _said(error: psycopg2.Error) -> str:
    """The primary message: DETAIL and CONTEXT may quote a row."""
    return error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__


def _explained(error: psycopg2.Error, said: str, settings: PostgreSQLSettings, advice: Advice) -> str:
    if row_security.is_refused(error):
        return row_security.explain(said, settings.user) + advice.row_security
    return f"{said} ({error.diag.constraint_name})" if error.diag.constraint_name else said
