"""Measures the table of batches in Chromium: `npm run perf` builds it, and runs this.

12,000 batches, 200 updates a second: first rows, rows in the document, frames of a scroll, the longest task, growth of
the heap. Exit code 1 where a target is missed. `--seconds`: how long the updates come. On a machine that does other things,
too, wall times say little: `cpu_*` are what the page's thread took of a processor.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import CDPSession, Page, sync_playwright

BUILT = Path(__file__).parents[1] / "node_modules" / ".perf"
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync", "--js-flags=--expose-gc"]

TARGETS = {
    "first_rows_milliseconds": 1000,
    "rows_in_document": 80,
    "scroll_frame_p95_milliseconds": 34,
    "longest_task_milliseconds": 200,
    "heap_growth_megabytes": 20,
}

WATCH_TASKS = """
window.tasks = [];
new PerformanceObserver(list => {
  for (const entry of list.getEntries()) window.tasks.push([entry.startTime, entry.duration]);
}).observe({ type: 'longtask', buffered: true });
const look = () => {
  if (document.querySelector('[data-batch]')) window.firstRows = performance.now();
  else requestAnimationFrame(look);
};
requestAnimationFrame(look);
"""

SCROLL = """
() => new Promise(done => {
  const table = document.querySelector('[role=treegrid]');
  const frames = [];
  let most = 0, before = performance.now(), left = 180;
  const step = now => {
    frames.push(now - before);
    before = now;
    most = Math.max(most, document.querySelectorAll('[role=row]').length);
    if (left-- === 0) return done({ frames: frames.slice(1), most });
    table.scrollTop += 120;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=30)
    seconds = parser.parse_args().seconds
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        faults: list[str] = []
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.add_init_script(WATCH_TASKS)
        page.goto(serve())
        page.wait_for_function("window.harness?.watch.store.isComplete() && window.firstRows")
        measured = measure(page, page.context.new_cdp_session(page), seconds)
        browser.close()
    print(json.dumps(measured, indent=2))
    missed = [name for name, target in TARGETS.items() if measured[name] > target]
    for name in missed:
        print(f"missed: {name} is {measured[name]}, at most {TARGETS[name]} were meant", file=sys.stderr)
    for fault in faults:
        print(f"error in the page: {fault}", file=sys.stderr)
    return 1 if missed or faults else 0


def measure(page: Page, session: CDPSession, seconds: float) -> dict[str, Any]:
    session.send("Performance.enable", {"timeDomain": "threadTicks"})
    first_rows = page.evaluate("window.firstRows")
    page.wait_for_timeout(1000)
    heap = heap_of(page, session)
    began_at = page.evaluate("performance.now()")
    page.evaluate("() => { window.end = window.harness.feed.begin() }")
    updating = cpu_of(session)
    page.wait_for_timeout(seconds * 500)
    updated = page.evaluate("performance.now()") - began_at
    scrolling = cpu_of(session)
    scrolled = page.evaluate(SCROLL)
    scrolled_cpu = cpu_of(session) - scrolling
    kept = survive(page)
    page.wait_for_timeout(seconds * 500)
    page.evaluate("() => window.end()")
    took = (page.evaluate("performance.now()") - began_at) / 1000
    tasks = [duration for start, duration in page.evaluate("window.tasks") if start >= began_at]
    frames = sorted(scrolled["frames"])
    return {
        "first_rows_milliseconds": round(first_rows),
        "rows_in_document": scrolled["most"],
        "scroll_frame_p50_milliseconds": round(frames[len(frames) // 2], 1),
        "scroll_frame_p95_milliseconds": round(frames[int(len(frames) * 0.95)], 1),
        "cpu_of_a_scroll_frame_milliseconds": round(scrolled_cpu / 180, 1),
        "cpu_of_a_second_of_updates_milliseconds": round((scrolling - updating) / updated * 1000),
        "longest_task_milliseconds": round(max(tasks, default=0)),
        "long_tasks": len(tasks),
        "heap_growth_megabytes": round(heap_of(page, session) - heap, 1),
        "updates_a_second": round(page.evaluate("window.harness.feed.sent") / took),
        "load_average": round(os.getloadavg()[0], 1),
        **kept,
    }


def cpu_of(session: CDPSession) -> float:
    """Milliseconds of a processor that the page's thread has taken."""
    metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
    return float(metrics["TaskDuration"]) * 1000


def survive(page: Page) -> dict[str, bool]:
    """Scroll, focus and what is open, under a sort that updates move, over two seconds of them."""
    page.get_by_role("button", name="Duration").click()
    page.wait_for_timeout(300)
    page.evaluate("document.querySelector('[role=treegrid]').scrollTop = 9000")
    page.wait_for_timeout(300)
    page.locator("[data-batch]").nth(12).click()
    batch = page.evaluate("document.activeElement.dataset.batch")
    page.wait_for_timeout(500)
    at = "document.activeElement.getBoundingClientRect().top"
    before = page.evaluate(at)
    page.wait_for_timeout(2500)
    focused = page.evaluate("document.activeElement.dataset.batch")
    return {
        "focus_stayed": focused == batch,
        "row_stayed_open": page.locator(f'[data-detail-of="{batch}"]').count() == 1,
        "row_stayed_in_place": abs(page.evaluate(at) - before) <= 1,
    }


def heap_of(page: Page, session: CDPSession) -> float:
    for _ in range(3):
        session.send("HeapProfiler.collectGarbage")
        page.wait_for_timeout(200)
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6


def serve() -> str:
    handler = functools.partial(Quiet, directory=str(BUILT))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    sys.exit(main())
