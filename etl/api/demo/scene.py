"""What happens in the demo: yesterday's runs, and today's, which meets rows that another session holds."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial

import psycopg2
from psycopg2.extensions import connection

from etl.api.demo import content
from etl.api.demo.house import House
from etl.api.models import Role
from etl.api.security.users import Users
from etl.config.staging.jobs import StagingConfiguration, load_staging_configuration
from etl.staging.batch.rules import table_of
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install
from etl.staging.ledger.requests import Requests

USER = "demo"
HELD_SECONDS = 180
"""Longer than all retries of a batch; a person's own then mends it."""

_RUN = "today"


def furnish(house: House, url: str, password: str) -> None:
    """Jobs, records, ledger, tables, a user, and yesterday's runs: one that went well, with larger batches than
    today's, one with some invalid records, and one that its own limit stopped."""
    content.write_jobs(house.conf)
    content.write_history(house.records)
    with _database(house, url) as (database, configuration):
        install(database, {job.target_table: table_of(job) for job in configuration.jobs.values()}.values())
        Users(database, done_by="make demo").add(USER, Role.OPERATOR, password)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(partial(_load_yesterdays, house), (content.READERS, content.LETTERS, content.INVOICES)))
    content.write_today(house.records)


def _load_yesterdays(house: House, job: str) -> None:
    house.run("etl.staging", "load", job, "--batch-size", "500", "--run-id", f"yesterday-{job.partition('_')[0]}")


def start(house: House, url: str) -> str:
    """A worker, the page, and today's load, asked for as the page does; the address that shows it."""
    house.start("worker", "etl.staging", "worker")
    with _database(house, url) as (database, configuration):
        job = configuration.job(content.READERS)
        Requests(database).request_load(job, _RUN, None, False, str(uuid.uuid4()), USER)
    house.start_page()
    return f"{house.address}/etl/data-loader/{content.READERS}/{_RUN}"


@contextmanager
def rows_held(url: str) -> Iterator[None]:
    """Another session works on some rows, as a report of the analysts might."""
    over = threading.Event()
    long = [ordinal for ordinals in content.HELD_LONG for ordinal in ordinals]
    held = [_Holder(url, content.HELD_A_WHILE, over, _until_tried_again), _Holder(url, long, over, _for_minutes)]
    for holder in held:
        holder.start()
    for holder in held:
        holder.has_begun.wait(30)
    try:
        yield
    finally:
        over.set()
        for holder in held:
            holder.join()


Held = Callable[[connection, threading.Event], None]


def _until_tried_again(held: connection, over: threading.Event) -> None:
    """A batch has met the rows, and is stored by one of its retries."""
    with held.cursor() as cursor:
        while not over.wait(0.3):
            cursor.execute("SELECT FROM etl_run_batches WHERE etl_run_id = %s AND status = 'retried'", (_RUN,))
            if cursor.rowcount:
                return


def _for_minutes(_: connection, over: threading.Event) -> None:
    over.wait(HELD_SECONDS)


class _Holder(threading.Thread):
    def __init__(self, url: str, ordinals: Iterable[int], over: threading.Event, hold: Held) -> None:
        super().__init__(name="holder of rows", daemon=True)
        self._url = url
        self._ids = [content.event_id_of(ordinal) for ordinal in ordinals]
        self._over = over
        self._hold = hold
        self.has_begun = threading.Event()

    def run(self) -> None:
        with closing(psycopg2.connect(self._url, application_name="weekly report")) as held:
            with held.cursor() as cursor:
                cursor.execute("SELECT FROM stg_reader_events WHERE source_id = ANY (%s) FOR UPDATE", (self._ids,))
            self.has_begun.set()
            self._hold(held, self._over)


@contextmanager
def _database(house: House, url: str) -> Iterator[tuple[StagingDatabase, StagingConfiguration]]:
    configuration = load_staging_configuration(house.conf, {"ETL_POSTGRES_URL": url})
    with closing(StagingDatabase(configuration.database, configuration.schema_name, 2)) as database:
        yield database, configuration
