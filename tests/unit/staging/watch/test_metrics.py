from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from etl.staging.batch.records import PreparedBatch
from etl.staging.batch.upsert import Stored
from etl.staging.watch.metrics import Metrics


@contextmanager
def gateway() -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
    """Keeps what is sent to it: (method, path, body)."""
    received: list[tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            received.append((self.command, self.path, body))
            self.send_response(202)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Not a word on the tests' terminal."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_run_is_pushed_under_the_name_of_its_job() -> None:
    metrics = Metrics()
    metrics.run_started("run", "events")
    metrics.batch_stored(PreparedBatch(0, {}, 5), Stored(3, 1, 1, 0), 0.02)
    with gateway() as (address, received):
        metrics.push(address)
    ((method, path, body),) = received
    assert (method, path) == ("PUT", "/metrics/job/staging_events")
    assert 'staging_rows_inserted_total{staging_job="events"} 3.0' in body
    assert 'staging_batch_duration_ms_sum{staging_job="events"} 20.0' in body


def test_a_gateway_that_is_down_fails_no_run() -> None:
    with gateway() as (address, _):
        pass
    Metrics().push(address)
