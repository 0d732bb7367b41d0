"""A run as a person sees it, and what Ctrl-C does to it: in this process, and by ./spark-submit.sh on a terminal."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import threading
import time
from contextlib import closing

import psycopg2
import pytest

from etl.project import PROJECT_DIR
from tests.integration.pipeline.conftest import Shop, load_of, status_of

pytestmark = pytest.mark.stack

SLOW = "CREATE VIEW slow AS SELECT g AS id, pg_sleep(g)::text AS waited FROM generate_series(600, 600) g"
ONE = "CREATE TABLE one (id int PRIMARY KEY, name text); INSERT INTO one VALUES (1, 'a')"
JAVA = re.compile(r"Py4J|Exception|Traceback|\tat ")


def test_ctrl_c_is_reported_and_can_be_resumed(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.source(f"{ONE}; {SLOW}")
    shop.tables("tables: {one: {}, slow: {}}")
    presser = threading.Thread(target=_press_when_measuring, args=(shop,))
    presser.start()
    exit_code, report = shop.run("--parallelism", "2", destinations="postgresql", log_format="console")
    presser.join()
    said = capsys.readouterr().err
    assert (exit_code, report["status"]) == (130, "partial")
    assert status_of(report) == {("one", "postgresql"): "success", ("slow", "postgresql"): "failed"}
    assert load_of(report, "slow", "postgresql")["error"] == "interrupted (Ctrl-C or SIGTERM) before it was published"
    assert f"--resume {report['run_id']} --config-dir {shop.folder}\n" in said
    assert not JAVA.search(said), said

    shop.source("CREATE OR REPLACE VIEW slow AS SELECT g AS id, g::text AS waited FROM generate_series(1, 2) g")
    exit_code, report = shop.run("--resume", report["run_id"])
    assert (exit_code, status_of(report)) == (0, {("slow", "postgresql"): "success"})


@pytest.mark.slow
def test_a_terminal_shows_the_run_and_ctrl_c_ends_it(shop: Shop) -> None:
    shop.source(SLOW)
    shop.tables("tables: {slow: {}}")
    report = shop.folder / "report.json"
    options = ["--load-destinations", "postgresql", "--config-dir", str(shop.folder), "--report", str(report)]
    terminal, end = pty.openpty()
    environment = {**os.environ, **shop.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
    command = ["./spark-submit.sh", "--driver-memory", "1g", "jobs/run_etl.py", *options]
    with subprocess.Popen(
        command, cwd=PROJECT_DIR, env=environment, stdin=end, stdout=end, stderr=end, start_new_session=True
    ) as process:
        os.close(end)
        shown = _read_until(terminal, "starting Spark")
        shown += _read_until(terminal, "0 of 1 tables")
        # what the terminal's driver does with Ctrl-C: the whole group in the foreground gets it
        os.killpg(process.pid, signal.SIGINT)
        shown += _read_until(terminal, None)
    assert process.returncode == 130, shown
    assert "interrupted: what is being published is finished" in shown
    assert f"--config-dir {shop.folder}" in shown
    assert not JAVA.search(shown), shown
    found = json.loads(report.read_text())
    assert status_of(found) == {("slow", "postgresql"): "failed"}
    assert found["run_id"] in shown.rpartition("--resume ")[2]


def _press_when_measuring(shop: Shop) -> None:
    """Ctrl-C, as soon as the one table is loaded and the other keeps the source busy."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        loaded = shop.ledger.exists() and any(
            load.status == "success" for run in shop.ledger.runs(limit=1) for load in shop.ledger.loads(run.run_id)
        )
        if loaded and _is_measuring(shop):
            break
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT)


def _is_measuring(shop: Shop) -> bool:
    url = shop.environ["ETL_SOURCE_POSTGRES_URL"]
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_stat_activity WHERE query LIKE %s AND state = 'active'",
            (f'SELECT count(*)%"{shop.name}"."slow"%',),
        )
        return bool(cursor.rowcount)


def _read_until(terminal: int, wanted: str | None, timeout_seconds: float = 400) -> str:
    """What the terminal shows, up to a text or to its end."""
    text, deadline = "", time.monotonic() + timeout_seconds
    while time.monotonic() < deadline:
        ready, _, _ = select.select([terminal], [], [], 1)
        if not ready:
            continue
        try:
            text += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # the other end is closed
            break
        if wanted is not None and wanted in text:
            return text
    assert wanted is None, f"expected {wanted!r} on the terminal, found:\n{text}"
    return text
