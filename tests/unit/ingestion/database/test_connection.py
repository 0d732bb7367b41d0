"""The uploader's door: asyncpg's errors become ours, with what to do where they may pass."""

from __future__ import annotations

import asyncpg
import pytest

from etl.errors import ConnectionLostError, ContentionError, OverloadedError, TransientError
from etl.ingestion.database.connection import UploadStoreError, door
from etl.ingestion.database.settings import Dsn

DSN = Dsn(("db",), (5432,), "loader")


@pytest.mark.parametrize(
    ("error", "kind", "step"),
    [
        (
            asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
            ContentionError,
            "it took longer than it may: raise --statement-timeout",
        ),
        (
            asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
            ContentionError,
            "another session held the rows or the table for too long: end it, or raise --lock-timeout",
        ),
        (
            asyncpg.TooManyConnectionsError("too many clients"),
            OverloadedError,
            "raise max_connections, or lower --concurrency",
        ),
        (
            asyncpg.AdminShutdownError("terminating"),
            ConnectionLostError,
            "check that the server is up and can be reached",
        ),
        (
            asyncpg.InterfaceError("connection is closed"),
            ConnectionLostError,
            "check that the server is up and can be reached",
        ),
        (ConnectionRefusedError("refused"), ConnectionLostError, "check that the server is up and can be reached"),
    ],
)
def test_what_may_pass_says_what_to_do(error: Exception, kind: type[TransientError], step: str) -> None:
    with pytest.raises(kind) as raised, door(DSN, "store"):
        raise error
    assert raised.value.message.startswith(f"store: {'the connection is gone: ' * ('closed' in str(error))}{error}")
    assert raised.value.message.endswith(f"; {step}")


def test_what_stays_wrong_says_what_postgresql_said() -> None:
    said = r"^store: no such table \(SQLSTATE 42P01\)$"
    with pytest.raises(UploadStoreError, match=said) as raised, door(DSN, "store"):
        raise asyncpg.UndefinedTableError("no such table")
    assert raised.value.code == "42P01"
