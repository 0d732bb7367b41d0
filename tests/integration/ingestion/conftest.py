"""A database of the uploader tests' own, empty for each test, and a short way to load files into it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.ingestion.database.settings import Dsn
from etl.ingestion.model import BatchCounts, FileResult, FileType, Header, OrderColumn, UploadOptions, UploadReport
from etl.ingestion.uploader import async_upsert
from etl.ingestion.watch.observers import BatchDone, Observer
from etl.postgresql.connection import connect
from tests.databases import PATIENCE_SECONDS, database_of_its_own

if TYPE_CHECKING:
    from tests.conftest import RunningStack

Rows = list[tuple[Any, ...]]
Execute = Callable[..., Rows]

SPEED_OF_WAITING = 50
"""How much quicker than in life the tests wait between two tries."""


def dsn_of(settings: PostgreSQLSettings) -> Dsn:
    return Dsn(
        hosts=(str(settings.host),),
        ports=(settings.port,),
        user=settings.user,
        password=settings.password.get_secret_value(),
        database=settings.database,
    )


def ask(settings: PostgreSQLSettings, statement: str, values: Any = None) -> Rows:
    """One statement outside the uploader, in a transaction of its own."""
    with (
        closing(connect(settings)) as connection,
        connection,
        connection.cursor(cursor_factory=psycopg2.extensions.cursor) as cursor,
    ):
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def locked_table(settings: PostgreSQLSettings, table: str) -> Iterator[None]:
    """Nobody writes into it meanwhile."""
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {table} IN SHARE MODE")
        yield
        connection.rollback()


def wait_until(settings: PostgreSQLSettings, condition: str) -> None:
    """`condition` is a SELECT of one boolean."""
    end = time.monotonic() + PATIENCE_SECONDS
    while ask(settings, condition) != [(True,)]:
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def headers_of(text: str) -> tuple[Header, ...]:
    """`id:bigint name` → two headers."""
    pairs = (each.partition(":") for each in text.split())
    return tuple(Header(name, kind or None) for name, _, kind in pairs)


def order_of(text: str) -> tuple[OrderColumn, ...]:
    """`updated_at -id`: the latest first, of those the least id."""
    return tuple(OrderColumn(each.lstrip("-"), descending=not each.startswith("-")) for each in text.split())


class Silent:
    """An observer to be told apart from in one method."""

    def run_started(self, run_id: str, table: str, files: int) -> None: ...

    def file_started(self, path: str, file_type: FileType, size_bytes: int) -> None: ...

    def batch_done(self, batch: BatchDone) -> None: ...

    def batch_retried(
        self, path: str, batch_index: int, error: Exception, attempt: int, wait_seconds: float
    ) -> None: ...

    def batch_failed(self, path: str, batch_index: int | None, error: Exception) -> None: ...

    def file_finished(self, result: FileResult) -> None: ...

    def run_finished(self, report: UploadReport) -> None: ...


@dataclass(frozen=True)
class Uploads:
    """The test's database and folder. `load` is one call of the library."""

    settings: PostgreSQLSettings
    folder: Path

    @property
    def dsn(self) -> Dsn:
        return dsn_of(self.settings)

    def execute(self, statement: str, values: Any = None) -> Rows:
        return ask(self.settings, statement, values)

    def csv(self, name: str, *lines: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    def numbered(self, name: str, numbers: Sequence[int], word: str = "name") -> Path:
        """Columns id and name."""
        return self.csv(name, "id,name", *(f"{number},{word} {number}" for number in numbers))

    def options(self, *files: Path | str, **changes: Any) -> UploadOptions:
        plain = UploadOptions(
            files=tuple(map(str, files)), table="t", headers=headers_of("id name"), primary_key=("id",), concurrency=2
        )
        return replace(plain, **changes)

    def load(self, *files: Path | str, observers: Sequence[Observer] = (), **changes: Any) -> UploadReport:
        return asyncio.run(async_upsert(self.options(*files, **changes), self.dsn, observers))

    def load_one(self, file: Path | str, **changes: Any) -> FileResult:
        (result,) = self.load(file, **changes).files
        return result

    def rows(self, table: str = "t", columns: str = "*") -> Rows:
        return self.execute(f"SELECT {columns} FROM {table} ORDER BY 1, 2")

    def manifest(self, columns: str = "filename, status, rows") -> Rows:
        return self.execute(f"SELECT {columns} FROM ingestion_manifest ORDER BY filename, target_table")


def told(counts: BatchCounts) -> dict[str, int]:
    """What of it is not 0, after a look at the sum."""
    parts = {name: getattr(counts, name) for name in BatchCounts.__dataclass_fields__}
    fates = ("inserted", "updated", "unchanged", "rejected", "deduplicated")
    assert parts["rows_read"] == sum(parts[f"rows_{fate}"] for fate in fates), counts
    return {name.removeprefix("rows_"): count for name, count in parts.items() if count}


@pytest.fixture(scope="session")
def upload_settings(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.postgresql, "upload_test") as settings:
        yield settings


@pytest.fixture
def uploads(upload_settings: PostgreSQLSettings, tmp_path: Path) -> Uploads:
    ask(upload_settings, "DROP SCHEMA IF EXISTS other CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    return Uploads(upload_settings, tmp_path)


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What was waited, in seconds of life; the tests wait less."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def shorter(seconds: float, *rest: Any) -> None:
        if seconds >= 1:
            waited.append(seconds)
        await sleep(seconds / SPEED_OF_WAITING, *rest)

    monkeypatch.setattr(asyncio, "sleep", shorter)
    return waited
