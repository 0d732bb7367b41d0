"""The database goes away and comes back while people watch; the API ends and begins again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import orjson
import psutil
import psycopg2
import pytest

from etl.project import PROJECT_DIR
from etl.stack.embedded import Stack
from etl.stack.layout import Layout
from etl.staging.database.database import StagingDatabase
from etl.staging.database.installation import install_ledger
from tests.databases import PATIENCE_SECONDS, Execute, statements_of
from tests.integration.api.conftest import configuration_of, served
from tests.integration.api.ledger import add_batches, add_run, end_run, fail_batch, store_batch
from tests.integration.api.streams import watching
from tests.restarting import own_postgresql, server_of, start

pytestmark = pytest.mark.stack


@pytest.mark.slow
def test_streams_outlive_the_database(config_dir: Path) -> None:
    """They say that it is away, and tell everything anew when it is back: it may have forgotten its last moments."""
    with own_postgresql("restarted-page") as layout:
        server = server_of(layout)
        with closing(StagingDatabase(server)) as database:
            install_ledger(database)
        with statements_of(server) as execute:
            add_run(execute, "r")
            add_batches(execute, "r", 4)
            store_batch(execute, "r", 0)
        with served(configuration_of(server, config_dir)) as page, page.client() as client:
            with watching(page.url, "r", "0") as stream:
                stream.next("change")
                assert len(stream.store) == 4
                break_down(layout)
                assert stream.next("trouble").data["detail"]
                assert stream.next("ping", "trouble").name == "ping", "told once"
                answer = client.get("/api/runs/r")
                assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
                assert answer.headers["retry-after"]
                assert client.get("/api/health").status_code == 503
                start(layout)
                stream.until(lambda event: event.data["is_complete"])
                assert sorted(stream.store) == [0, 1, 2, 3]
                with statements_of(server) as execute:
                    store_batch(execute, "r", 1)
                    store_batch(execute, "r", 2)
                    fail_batch(execute, "r", 3)
                    end_run(execute, "r", "partial")
                stream.until(lambda event: event.data["is_last"])
                found = {index: batch["status"] for index, batch in stream.store.items()}
                assert found == {0: "succeeded", 1: "succeeded", 2: "succeeded", 3: "failed"}
                assert stream.names_to_the_end() == ["end"]
            assert client.get("/api/runs/r").json()["status"] == "partial_success"


@pytest.mark.slow
def test_a_crash_that_is_over_before_anybody_looks(config_dir: Path) -> None:
    """The server begins anew within a second, its own start stays as it was, and connections are simply opened again:
    that it may have forgotten something is told to whoever listens, asks, or comes to a process that has just begun."""
    with own_postgresql("crashed-page") as layout:
        server = server_of(layout)
        with closing(StagingDatabase(server)) as database:
            install_ledger(database)
        with statements_of(server) as execute:
            add_run(execute, "r")
            add_batches(execute, "r", 2)
        configured = configuration_of(server, config_dir)
        with served(configured) as page, page.client() as client, watching(page.url, "r") as stream:
            known = client.get("/api/runs/r/changes").json()["id"]
            assert not client.get("/api/runs/r/changes", params={"since": known}).json()["is_complete"]
            stream.next("change")
            crash(server)
            stream.until(lambda event: event.data["is_complete"])
            assert sorted(stream.store) == [0, 1]
            asked = client.get("/api/runs/r/changes", params={"since": known}).json()
            assert (asked["is_complete"], len(asked["batches"])) == (True, 2)
            with served(configured) as other, watching(other.url, "r", known) as again:
                assert again.next("change").data["is_complete"]
                assert sorted(again.store) == [0, 1]


def test_sessions_that_are_ended_are_opened_again(page: Any, ledger: Execute, page_settings: Any) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 2)
    with watching(page.url, "r") as stream, page.client() as client:
        stream.next("change")
        for _ in range(3):
            ledger(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert client.get("/api/runs/r").status_code in (200, 503)
        store_batch(ledger, "r", 1)
        stream.until(lambda event: any(each["status"] == "succeeded" for each in event.data["batches"]))


@contextmanager
def process(configured: dict[str, str], *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`python -m etl.api`, and its address."""
    command = [sys.executable, "-m", "etl.api", "--port", "0", "--no-sign-in", "--log-format", "json", *arguments]
    with subprocess.Popen(
        command, cwd=PROJECT_DIR, env={**os.environ, **configured}, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            assert running.stderr is not None
            line = orjson.loads(running.stderr.readline())
            assert line["event"] == "page serves"
            yield running, line["url"]
        finally:
            if running.poll() is None:
                running.kill()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_it_ends_with_open_streams_at_once(
    ledger: Execute, page_settings: Any, config_dir: Path, number: signal.Signals, code: int
) -> None:
    add_run(ledger, "r")
    with process(variables(page_settings), "--config-dir", str(config_dir)) as (running, url):
        with watching(url, "r") as stream:
            stream.next("change")
            running.send_signal(number)
            assert "end" not in stream.names_to_the_end(), "the run goes on: its reader comes again"
            assert running.wait(PATIENCE_SECONDS) == code
        with pytest.raises(httpx2.HTTPError):
            httpx2.get(f"{url}/api/health")
    assert ledger("SELECT status FROM etl_runs WHERE id = 'r'") == [("running",)]


def test_a_port_that_is_taken(page: Any, page_settings: Any, config_dir: Path) -> None:
    port = page.url.rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "etl.api", "--port", port, "--no-sign-in", "--config-dir", str(config_dir)],
        cwd=PROJECT_DIR, env={**os.environ, **variables(page_settings)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    assert "--port" in done.stderr
    assert done.stderr.count("\n") == 1


def variables(server: Any) -> dict[str, str]:
    password = server.password.get_secret_value()
    url = f"postgresql://{server.user}:{password}@{server.host}:{server.port}/{server.database}"
    return {"ETL_STAGING_POSTGRES_URL": url}


def crash(server: Any) -> None:
    """One of the server's processes is killed: it ends all others, and recovers."""
    with suppress(psycopg2.Error), statements_of(server) as execute:
        ((victim,),) = execute("SELECT pg_backend_pid()")
        os.kill(victim, signal.SIGKILL)
        execute("SELECT 1")
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with statements_of(server) as execute:
                execute("SELECT 1")
            return
        except psycopg2.Error:
            assert time.monotonic() < end
            time.sleep(0.05)


def break_down(layout: Layout) -> None:
    (postmaster,) = Stack(layout, say=print).status()[0].process_ids
    os.kill(postmaster, signal.SIGQUIT)
    psutil.Process(postmaster).wait(timeout=PATIENCE_SECONDS)
