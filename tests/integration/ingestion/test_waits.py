"""Locks that another session holds: every statement gives up in time, is tried again, and says who is in its way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from typing import Any

import psycopg2
import pytest
from structlog.testing import capture_logs

from etl.command.exits import Exit
from etl.errors import UsageError
from etl.ingestion.command import commands
from etl.ingestion.model import FileStatus, Header
from etl.ingestion.upload.plan import limits
from etl.ingestion.uploader import async_upsert
from etl.postgresql import waits
from tests.integration.ingestion.conftest import Uploads, dsn_of, told, wait_until
from tests.integration.ingestion.test_command import url_of
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.stack

HOLDER = "nightly dump"
OF_THE_TABLE = "LOCK TABLE t IN ACCESS EXCLUSIVE MODE"
OF_THE_MANIFEST = "LOCK TABLE ingestion_manifest IN ACCESS EXCLUSIVE MODE"
OF_ITS_ROWS = "SELECT FROM ingestion_manifest FOR UPDATE"
OF_THE_SEQUENCE = "ALTER SEQUENCE t_n_seq CACHE 2"
IMPATIENT: dict[str, Any] = {"lock_timeout_seconds": 1, "max_retries": 1, "connect_timeout_seconds": 5}
IS_WAITING = (
    "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')"
)


@pytest.fixture(autouse=True)
def looked_at_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "INTERVAL_SECONDS", 0.1)


@contextmanager
def held(uploads: Uploads, statement: str) -> Iterator[psycopg2.extensions.connection]:
    parts = uploads.settings
    with closing(
        psycopg2.connect(
            host=parts.host,
            port=parts.port,
            user=parts.user,
            password=parts.password.get_secret_value(),
            dbname=parts.database,
            application_name=HOLDER,
        )
    ) as connection:
        with connection.cursor() as cursor:
            cursor.execute(statement)
        yield connection


def loaded_before(uploads: Uploads) -> str:
    """A table with a sequence and its first file, which stands in the manifest."""
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text, n serial)")
    file = uploads.csv("a.csv", "id,name,n", "1,one,1")
    assert uploads.load_one(file, headers=HEADERS).status is FileStatus.SUCCESS
    return str(uploads.csv("a.csv", "id,name,n", "1,one,1", "2,two,2"))


HEADERS = tuple(map(Header, ("id", "name", "n")))


def test_planning_gives_up_in_time_and_names_who_holds_the_table(uploads: Uploads, quick_retries: list[float]) -> None:
    file = loaded_before(uploads)
    with held(uploads, OF_THE_TABLE) as holder, capture_logs() as logs, pytest.raises(UsageError) as raised:
        pid = holder.info.backend_pid
        uploads.load(file, headers=HEADERS, **IMPATIENT)
    assert "canceling statement due to lock timeout" in raised.value.message
    assert f"it was waiting for t, held by pid {pid} ({HOLDER}, " in raised.value.message
    assert "idle in transaction, its transaction began 20" in raised.value.message
    assert raised.value.message.endswith("; nothing was written, try again")
    assert [round(seconds) for seconds in quick_retries] == [1]
    told_waits = [log for log in logs if log["event"] == "waiting for a lock"]
    assert (told_waits[0]["wanted"], told_waits[0]["mode"]) == ("t", "AccessShareLock")
    assert f"SELECT pg_terminate_backend({pid})" in told_waits[0]["next_step"]
    assert uploads.rows(columns="id, name") == [(1, "one")]


@pytest.mark.parametrize(
    ("statement", "wanted"),
    [(OF_THE_MANIFEST, "ingestion_manifest"), (OF_ITS_ROWS, "a row of ingestion_manifest")],
)
def test_the_manifest_gives_up_in_time_and_names_who_holds_it(
    uploads: Uploads, quick_retries: list[float], statement: str, wanted: str
) -> None:
    file = loaded_before(uploads)
    with held(uploads, statement) as holder, capture_logs() as logs:
        pid = holder.info.backend_pid
        result = uploads.load_one(file, headers=HEADERS, **IMPATIENT)
    assert result.status is FileStatus.FAILED
    assert "the manifest: canceling statement due to lock timeout" in result.notes
    assert f"it was waiting for {wanted}, held by pid {pid} ({HOLDER}, " in result.notes
    assert [log["event"] for log in logs].count("manifest asked again") == 1
    assert uploads.rows(columns="id, name") == [(1, "one")]


def test_the_sequences_at_the_end_are_waited_for_in_time(uploads: Uploads, quick_retries: list[float]) -> None:
    file = loaded_before(uploads)
    with held(uploads, OF_THE_SEQUENCE):
        report = uploads.load(file, headers=HEADERS, advance_sequences=True, **IMPATIENT)
    assert "not all sequences advanced: advance the sequences: canceling statement due to lock timeout" in report.notes
    assert "held by pid" in report.notes
    assert uploads.rows(columns="id, name") == [(1, "one"), (2, "two")]


@pytest.mark.parametrize("is_pooled", [False, True], ids=["direct", "through PgBouncer"])
def test_a_lock_that_is_let_go_in_time_is_only_told(uploads: Uploads, is_pooled: bool) -> None:
    """A pooler gives out process ids of its own: behind one the run's sessions go by their application's name."""
    file = loaded_before(uploads)
    folder = uploads.folder / "pgbouncer"
    folder.mkdir()
    server = pgbouncer(uploads.settings, folder, default_pool_size="3") if is_pooled else nullcontext(uploads.settings)
    with server as settings, held(uploads, OF_THE_TABLE) as holder, capture_logs() as logs:

        def let_go() -> None:
            wait_until(uploads.settings, IS_WAITING)
            threading.Event().wait(0.5)
            holder.rollback()

        thread = threading.Thread(target=let_go)
        thread.start()
        (result,) = asyncio.run(async_upsert(uploads.options(file, headers=HEADERS), dsn_of(settings))).files
        thread.join()
    assert told(result.counts) == {"read": 2, "inserted": 1, "unchanged": 1}
    assert [log["wanted"] for log in logs if log["event"] == "waiting for a lock"] == ["t"]


def test_status_does_not_wait_for_ever(
    uploads: Uploads, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    loaded_before(uploads)
    monkeypatch.setattr(commands, "_LIMITS", limits(1, 0))
    with held(uploads, OF_THE_MANIFEST):
        code = commands.show_status({"connect_timeout": "5"}, {"ETL_UPLOADER_DSN": url_of(uploads.settings)})
    assert code == Exit.USAGE
    assert "it was waiting for ingestion_manifest, held by pid" in capsys.readouterr().err
