"""Connections that leave nothing behind, whenever somebody stops waiting for them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from etl.ingestion.database.connection import create_pool, is_lost, transaction
from etl.ingestion.database.settings import Dsn
from tests.integration.ingestion.conftest import Silent, Uploads, wait_until

pytestmark = pytest.mark.stack

NOBODY_THERE = "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'ownlens-uploader'"


def test_no_transaction_outlives_a_rollback_that_is_broken_off(uploads: Uploads) -> None:
    async def twice_cancelled() -> None:
        pool = await create_pool(uploads.dsn, 1)
        connection = await pool.acquire()
        work = asyncio.create_task(sleep_in_transaction(connection))
        await asyncio.sleep(0.2)
        work.cancel()
        await asyncio.sleep(0)
        work.cancel()
        with suppress(asyncio.CancelledError):
            await work
        assert is_lost(connection) or not connection.is_in_transaction()
        await pool.release(connection)
        await pool.close()

    asyncio.run(twice_cancelled())
    wait_until(uploads.settings, NOBODY_THERE)


async def sleep_in_transaction(connection: object) -> None:
    async with transaction(connection):
        await connection.execute("SELECT pg_sleep(2)")  # type: ignore[attr-defined]


def test_a_pool_that_nobody_waits_for_any_more_is_closed(uploads: Uploads) -> None:
    async def cancelled_everywhere() -> None:
        for steps in range(40):
            work = asyncio.create_task(opened_and_closed(uploads.dsn))
            for _ in range(steps):
                await asyncio.sleep(0.0005)
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
        wait_until(uploads.settings, NOBODY_THERE)

    asyncio.run(cancelled_everywhere())


async def opened_and_closed(dsn: Dsn) -> None:
    pool = await create_pool(dsn, 1)
    try:
        await asyncio.sleep(0)
    finally:
        pool.terminate()


def end_sessions(uploads: Uploads) -> None:
    uploads.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'ownlens-uploader'"
    )
    wait_until(uploads.settings, NOBODY_THERE)


def test_a_session_that_ends_between_two_batches_is_replaced(uploads: Uploads) -> None:
    """The only worker holds its session while the next file is begun."""

    class EndsSessions(Silent):
        def file_finished(self, *_: object) -> None:
            end_sessions(uploads)

    files = [uploads.numbered(f"{n}.csv", range(n * 10, n * 10 + 10)) for n in range(2)]
    report = uploads.load(*files, concurrency=1, observers=[EndsSessions()])
    assert [result.notes for result in report.files] == ["", ""]
    assert uploads.execute("SELECT count(*) FROM t") == [(20,)]


@pytest.mark.parametrize("error", [asyncio.CancelledError, ValueError])
def test_what_ended_a_transaction_is_told_though_its_session_is_gone(
    uploads: Uploads, error: type[BaseException]
) -> None:
    """A cancellation that became an error of the connection would be tried again instead of ending the run."""

    async def in_a_lost_session() -> None:
        pool = await create_pool(uploads.dsn, 1)
        connection = await pool.acquire()
        try:
            async with transaction(connection):
                await asyncio.to_thread(end_sessions, uploads)
                while not is_lost(connection):
                    await asyncio.sleep(0.01)
                raise error
        finally:
            pool.terminate()

    with pytest.raises(error):
        asyncio.run(in_a_lost_session())
