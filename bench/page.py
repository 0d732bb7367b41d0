"""The Data Loader page over a run of 12,000 batches: the production build, the API's process, PostgreSQL, Chromium."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any
from urllib.parse import urljoin
from urllib.request import Request, urlopen

import psycopg2
from playwright.sync_api import Browser, Page, sync_playwright

from bench.chromium import launch
from bench.measure import Ratio, Results
from etl.api.demo.house import House

BATCHES = 12_000
JOB, RUN = "measured", "measured-1"
PATH = f"/etl/data-loader/{JOB}/{RUN}"
UPDATES_A_SECOND, UPDATE_SECONDS = 200, 30
FRAMES = 180

_JOBS = """\
jobs:
  measured:
    target_table: stg_measured
    source: {type: ndjson, path: absent.ndjson}
    source_id: id
"""
_FILL = (
    f"INSERT INTO etl_jobs (id, target_table) VALUES ('{JOB}', 'stg_measured')",
    "INSERT INTO etl_runs (id, etl_job_id, status, phase, target_table, batch_size, started_at, heartbeat_at, "
    f"input_ended_at, batches) VALUES ('{RUN}', '{JOB}', 'running', 'loading', 'stg_measured', 1000, "
    f"clock_timestamp(), clock_timestamp(), clock_timestamp(), {BATCHES})",
    "INSERT INTO etl_run_batches (etl_run_id, batch_index, source_position, first_ordinal) "
    f"SELECT '{RUN}', n, jsonb_build_object('records', 1000), n * 1000 FROM generate_series(0, {BATCHES - 1}) AS n",
)
_UPDATE = f"""
    UPDATE etl_run_batches SET status = 'succeeded', attempts = attempts + 1, rows_attempted = 1000,
        rows_inserted = 1000, duration_ms = 50 + attempts, started_at = clock_timestamp(),
        committed_at = clock_timestamp()
    WHERE etl_run_id = '{RUN}' AND batch_index = ANY (%s)"""
_STEP_SECONDS = 0.05

_FIRST_ROWS = """
    new MutationObserver((_, observer) => {
        if (!document.querySelector('[data-batch]')) return;
        observer.disconnect();
        requestAnimationFrame(() => { window.firstRows = performance.now(); });
    }).observe(document, {childList: true, subtree: true});"""
_SCROLL = """(frames) => new Promise((resolve) => {
    const table = document.querySelector('[role=treegrid]');
    const times = [];
    const turn = (now) => {
        times.push(now);
        table.scrollTop += 300;
        if (times.length <= frames) requestAnimationFrame(turn);
        else resolve(times.slice(1).map((time, place) => time - times[place]));
    };
    requestAnimationFrame(turn);
})"""
_WATCH_TASKS = """() => {
    window.longTasks = [];
    new PerformanceObserver((list) => window.longTasks.push(...list.getEntries().map(({duration}) => duration)))
        .observe({entryTypes: ['longtask']});
}"""

Say = Callable[[str], None]


def measure_page(database_url: str, folder: Path, results: Results, say: Say) -> None:
    with served(database_url, folder) as address, sync_playwright() as playwright:
        browser = launch(playwright)
        add = _adder(results, say)
        seconds = [_first_rows(browser, address) for _ in range(5)]
        add("first rows after the address was entered, s (median of 5)", median(seconds), 1)
        page = browser.new_page(base_url=address, viewport={"width": 1440, "height": 1000})
        _open(page)
        add("first load, kB gzip", _first_load(page, address) / 1000, 240)
        frames = page.evaluate(_SCROLL, FRAMES)
        add(f"p95 frame while {FRAMES} are scrolled, ms", quantiles(frames, n=20)[-1], 34)
        add("rows in the document", page.locator("[role=row]").count(), 80)
        _measure_updates(page, database_url, add)
        browser.close()


@contextmanager
def served(database_url: str, folder: Path) -> Iterator[str]:
    """Without sign-in, over a ledger that holds the run; the address."""
    house = House(folder)
    house.use_database(database_url)
    (house.conf / "staging").mkdir(parents=True)
    (house.conf / "staging" / "measured.yaml").write_text(_JOBS, encoding="utf-8")
    house.run("etl.staging", "init")
    with closing(psycopg2.connect(database_url)) as connection, connection, connection.cursor() as cursor:
        fill(cursor.execute)
    try:
        house.start_page("--no-sign-in")
        yield house.address
    finally:
        house.end()


def fill(execute: Callable[[str], Any]) -> None:
    """The run, all of whose batches are still pending."""
    for statement in _FILL:
        execute(statement)


@contextmanager
def updating(database_url: str) -> Iterator[None]:
    """As many updates a second as the page has to bear; a third of them of the first 30 batches."""
    over = threading.Event()
    updater = threading.Thread(target=_update, args=(database_url, over), daemon=True)
    updater.start()
    try:
        yield
    finally:
        over.set()
        updater.join()


def _update(database_url: str, over: threading.Event) -> None:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        began, done = time.monotonic(), 0
        while not over.wait(_STEP_SECONDS):
            due = int((time.monotonic() - began) * UPDATES_A_SECOND)
            indexes = [n % 30 if n % 3 == 0 else n * 7919 % BATCHES for n in range(done, due)]
            cursor.execute(_UPDATE, (indexes,))
            done = due


def _measure_updates(page: Page, database_url: str, add: Callable[[str, float, float], None]) -> None:
    page.locator("[role=treegrid]").evaluate("table => { table.scrollTop = 0; }")
    page.evaluate(_WATCH_TASKS)
    with updating(database_url):
        page.wait_for_timeout(3000)  # what is drawn for the first time is no growth
        before = _heap_bytes(page)
        page.evaluate("() => { window.longTasks = []; }")
        page.wait_for_timeout(UPDATE_SECONDS * 1000)
        tasks = page.evaluate("window.longTasks")
        growth = _heap_bytes(page) - before
    what = f"{UPDATE_SECONDS} s of {UPDATES_A_SECOND} updates a second"
    add(f"longest task in {what}, ms (0: none above 50)", max(tasks, default=0), 200)
    add(f"growth of the heap in {what}, MB", growth / 1e6, 20)


def _adder(results: Results, say: Say) -> Callable[[str, float, float], None]:
    def add(what: str, value: float, most: float) -> None:
        told = f"{what}; load {os.getloadavg()[0]:.1f}"
        say(f"{told}: {value:.1f}")
        results.ratios.append(Ratio("page", told, value, most, is_upper_bound=True))

    return add


def _open(page: Page) -> None:
    page.add_init_script(_FIRST_ROWS)
    page.goto(PATH)
    page.locator("[data-batch]").first.wait_for()
    while page.evaluate("window.firstRows") is None:  # wait_for_function is what the page's policy forbids
        page.wait_for_timeout(10)


def _first_rows(browser: Browser, address: str) -> float:
    context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 1000})
    page = context.new_page()
    _open(page)
    seconds = page.evaluate("window.firstRows") / 1000
    context.close()
    return float(seconds)


def _first_load(page: Page, address: str) -> int:
    """Bytes of the page and of what it names: scripts, styles and pictures, not what it fetches later on."""
    first = page.evaluate(
        "[...document.querySelectorAll('script[src], link[rel=stylesheet]')].map((each) => each.src || each.href)"
    )
    return sum(map(_packed_bytes, [urljoin(address, PATH), *first]))


def _packed_bytes(url: str) -> int:
    with urlopen(Request(url, headers={"Accept-Encoding": "gzip"})) as answer:
        return len(answer.read())


def _heap_bytes(page: Page) -> int:
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    used = session.send("Runtime.getHeapUsage")["usedSize"]
    session.detach()
    return int(used)
