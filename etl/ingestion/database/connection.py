"""The door to PostgreSQL: connections that leave nothing behind, and asyncpg's errors turned into ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from weakref import WeakSet

import asyncpg

from etl.errors import ConnectionLostError, EtlError, StoreError, TransientError, UsageError
from etl.ingestion.database.settings import Dsn
from etl.ingestion.database.silence import WatchedConnection
from etl.postgresql.next_steps import Advice, lasting_step, next_step
from etl.postgresql.sqlstates import INSUFFICIENT_PRIVILEGE, is_row_too_big, transient_kind
from etl.postgresql_types import OLDEST_TARGET
from etl.redaction import redact

APPLICATION_NAME = "ownlens-uploader"

ADVICE = Advice(
    statement="raise --statement-timeout",
    lock="end it, or raise --lock-timeout",
    connections="lower --concurrency",
    page="load fewer columns at once, or bring them in the table's own types (typed Parquet, or CSV without --copy "
    "records, --whole-floats and --strict-decimals)",
    refused="",
)

_OF_NAMES = frozenset({"42704", "42883", "42P01", "42725", "42602", "3F000", "0A000"})
"""What a value of regtype, regproc, regclass, regoper, regnamespace is refused with, and one of xml without libxml."""

Connection = Any
"""An asyncpg connection; the package has no types that hold for a pool's proxies as well."""


class UploadStoreError(StoreError):
    """PostgreSQL refused a statement. `code` is its SQLSTATE, `where` the CONTEXT (which may quote a value)."""

    def __init__(
        self, message: str, *, code: str, said: str = "", where: str = "", constraint: str = "", detail: str = ""
    ) -> None:
        super().__init__(message)
        self.is_row_too_big = is_row_too_big(code, said)
        self.code = code
        self.where = where
        self.constraint = constraint
        self.detail = detail

    @property
    def is_of_the_data(self) -> bool:
        """A value, a key or a row is at fault: SQLSTATE classes 22 (data), 23 (constraints) and 21 (a row twice), and
        where a value names what is not there, or is of a type that this server was built without."""
        return self.code[:2] in ("22", "23", "21") or self.code in _OF_NAMES


class Sessions:
    """The connections of a pool, to be known by another session."""

    def __init__(self, statement_timeout_seconds: float = 0) -> None:
        self._connections: WeakSet[WatchedConnection] = WeakSet()
        self._limit_seconds = statement_timeout_seconds

    async def add(self, connection: WatchedConnection) -> None:
        connection.limit_seconds = self._limit_seconds
        self._connections.add(connection)

    async def seen_by(self, observer: Connection) -> tuple[list[int] | None, str]:
        """(their process ids, the name they go by). No ids behind a pooler, which gives out ids of its own."""
        name = str(observer.get_settings().application_name or APPLICATION_NAME)
        if await observer.fetchval("SELECT pg_backend_pid()") != observer.get_server_pid():
            return None, name
        return [each.get_server_pid() for each in self._connections if not each.is_closed()], name


async def connect(dsn: Dsn, connect_timeout_seconds: float) -> Connection:
    """One connection like those of the pool."""
    return await asyncpg.connect(timeout=connect_timeout_seconds, statement_cache_size=0, **_parameters(dsn))


def _parameters(dsn: Dsn) -> dict[str, Any]:
    parameters = {"server_settings": {"application_name": APPLICATION_NAME}} | dsn.connect_parameters
    if dsn.fence is not None:
        name = dsn.fence.session_name(parameters["server_settings"]["application_name"])
        parameters["server_settings"] = {"application_name": name}
    return parameters


async def create_pool(
    dsn: Dsn, concurrency: int, *, connect_timeout_seconds: float = 10, sessions: Sessions | None = None
) -> asyncpg.Pool:
    """At most concurrency + 2 connections: one a worker, one for the manifest, one to spare. `sessions` hears of each.

    No statement is kept prepared, and nothing is set at the start of a session: both fail behind a transaction pooler.
    Raises UsageError for what no retry mends (address, password, database, a server before version 16).
    """
    try:
        with door(dsn, "connect"):
            pool = await asyncpg.create_pool(
                min_size=0,
                max_size=concurrency + 2,
                timeout=connect_timeout_seconds,
                statement_cache_size=0,
                max_inactive_connection_lifetime=60,
                reset=_nothing_to_reset,
                connection_class=WatchedConnection,
                init=sessions.add if sessions else None,
                **_parameters(dsn),
            )
            version = await _version_of(pool)
    except EtlError as error:
        raise UsageError(f"no connection to {dsn.masked}: {error.message}") from error
    if version < OLDEST_TARGET:
        await pool.close()
        raise UsageError(f"expected PostgreSQL 16 or newer at {dsn.masked}, found {version // 10000}")
    return pool


async def _version_of(pool: asyncpg.Pool) -> int:
    """By a first connection. Where that fails, or is not waited for, nothing of the pool stays open."""
    try:
        async with pool.acquire() as connection:
            return int(await connection.fetchval("SELECT current_setting('server_version_num')"))
    except BaseException:
        pool.terminate()
        raise


async def _nothing_to_reset(_connection: Connection) -> None:
    """Every setting was local to its transaction; asyncpg's own reset would cost a round trip a batch."""


@asynccontextmanager
async def transaction(connection: Connection, *settings: str) -> AsyncIterator[None]:
    """BEGIN and its local settings in one round trip; COMMIT, or ROLLBACK where that can still be said."""
    try:
        await connection.execute("; ".join(["BEGIN", *settings]))
        yield
        await connection.execute("COMMIT")
    except BaseException:
        if not is_lost(connection):
            await _roll_back(connection)
        raise


def is_lost(connection: Connection) -> bool:
    """A pool takes back what is closed, also from whoever holds it; to ask such a connection anything is an error."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


async def _roll_back(connection: Connection) -> None:
    try:
        await connection.execute("ROLLBACK", timeout=5)
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        _terminate(connection)
    except asyncio.CancelledError:
        _terminate(connection)  # nobody may be given it with the transaction still open
        raise


def _terminate(connection: Connection) -> None:
    """The server ends the transaction when it sees the socket closed."""
    if not is_lost(connection):
        connection.terminate()


@contextmanager
def door(dsn: Dsn, doing: str) -> Iterator[None]:
    """Transient or terminal is decided here. `doing` says in words what was being done."""
    try:
        yield
    except asyncpg.PostgresError as error:
        raise _translated(error, dsn, doing) from error
    except asyncpg.InterfaceError as error:
        said = str(error)
        if "closed" in said or "released" in said:
            raise _passing(ConnectionLostError, f"{doing}: the connection is gone: {said}") from error
        raise UploadStoreError(redact(f"{doing}: {said}", dsn.secrets), code="") from error
    except (asyncpg.InternalClientError, OSError, TimeoutError, EOFError) as error:
        said = redact(str(error) or type(error).__name__, dsn.secrets)
        raise _passing(ConnectionLostError, f"{doing}: {said}") from error


@contextmanager
def nothing_written() -> Iterator[None]:
    """Until the first row is written, whatever PostgreSQL refuses is a UsageError, and a right that is missing names
    what prints the grants."""
    try:
        yield
    except UploadStoreError as error:
        init = (
            "; `uploader init --role ROLE --table TABLE`, run by an administrator, prints the grants that a role needs"
        )
        raise UsageError(f"{error.message}{init if error.code == INSUFFICIENT_PRIVILEGE else ''}") from error
    except TransientError as error:
        raise UsageError(f"{error.message}; nothing was written, try again") from error


def _passing(kind: type[TransientError], message: str, code: str = "", said: str = "") -> TransientError:
    return kind(f"{message}; {next_step(kind, code, said, ADVICE)}")


def _translated(error: asyncpg.PostgresError, dsn: Dsn, doing: str) -> EtlError:
    """The message has what PostgreSQL said; the row that it quotes as DETAIL is left out."""
    code = error.sqlstate or ""
    constraint = getattr(error, "constraint_name", None) or ""
    said = redact(error.message if hasattr(error, "message") and error.message else str(error), dsn.secrets)
    message = f"{doing}: {said} (SQLSTATE {code or 'none'})"
    kind: type[TransientError] | None = transient_kind(code, said, type(error))
    if kind:
        return _passing(kind, message, code, said)
    where, detail = getattr(error, "context", None) or "", getattr(error, "detail", None) or ""
    if step := lasting_step(code, said, ADVICE):
        message = f"{message}; {step}"
    return UploadStoreError(message, code=code, said=said, where=where, constraint=constraint, detail=detail)
