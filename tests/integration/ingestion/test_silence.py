"""Servers that stand still, through the uploader's connections."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from etl.errors import ConnectionLostError
from etl.ingestion.database.connection import Sessions, create_pool, door, transaction
from etl.postgresql import patience
from tests.integration.ingestion.conftest import Uploads, dsn_of
from tests.stopping import stopped

pytestmark = pytest.mark.stack

SILENT = r"ask: no answer for 1\.2 s, longer than it lets a statement take: the server stands still; check that"
MANY = [("x" * 1024,)] * 64 * 1024


async def copied(connection: Any) -> None:
    await connection.copy_to_table("t", source=io.BytesIO(b"x" * 64 * 1024 * 1024 + b"\n"))


WAYS: dict[str, Callable[[Any], Awaitable[Any]]] = {
    "execute": lambda connection: connection.execute("SELECT 1"),
    "executemany": lambda connection: connection.executemany("INSERT INTO t VALUES ($1)", [("a",)]),
    "fetch": lambda connection: connection.fetch("SELECT 1"),
    "fetchval": lambda connection: connection.fetchval("SELECT $1::int", 1),
    "fetchrow": lambda connection: connection.fetchrow("SELECT 1"),
    "prepare": lambda connection: connection.prepare("SELECT 1"),
    "copy": copied,
    "copy of records": lambda connection: connection.copy_records_to_table("t", records=MANY),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_stands_still_is_given_up(uploads: Uploads, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setattr(patience, "GRACE_SECONDS", 0.2)
    uploads.execute("CREATE TABLE t (n text)")
    dsn = dsn_of(uploads.settings)

    async def ask() -> int:
        async with asyncio.timeout(60) as patient:
            found = await given_up()
        assert not patient.expired(), "it was us who gave it up"
        return found

    async def given_up() -> int:
        pool = await create_pool(dsn, 1, sessions=Sessions(1))
        try:
            with pytest.raises(ConnectionLostError, match=SILENT), door(dsn, "ask"):
                async with pool.acquire() as connection:
                    process_id = await connection.fetchval("SELECT pg_backend_pid()")
                    with stopped(process_id):
                        await WAYS[way](connection)
            async with pool.acquire() as another:
                return int(await another.fetchval("SELECT count(*) FROM t"))
        finally:
            pool.terminate()

    assert asyncio.run(ask()) == 0


def test_the_limit_is_each_statements(uploads: Uploads, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "GRACE_SECONDS", 0.2)
    dsn = dsn_of(uploads.settings)

    async def ask() -> None:
        pool = await create_pool(dsn, 1, sessions=Sessions(1))
        async with pool.acquire() as connection, transaction(connection):
            await connection.execute("SELECT pg_sleep(0.8); SELECT pg_sleep(0.8)")
        pool.terminate()

    asyncio.run(ask())
