from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest
from structlog.testing import capture_logs
from tenacity import wait_none

from etl.errors import ConnectionLostError, OverloadedError
from etl.s3 import store
from etl.s3.store import ObjectStore, StoreAddress
from etl.stack.ports import free_port


def test_what_boto3_tries_again_by_itself_is_told() -> None:
    endpoint = f"http://127.0.0.1:{free_port(39000, taken=set())}"
    address = StoreAddress("nowhere", endpoint, "us-east-1", True, True, None, "key", "secret", attempts=2)
    with capture_logs() as logs, pytest.raises(ConnectionLostError):
        ObjectStore(address).get("a")
    [told] = logs
    assert (told["event"], told["operation"], told["attempt"]) == ("object store asked again", "GetObject", 1)
    assert endpoint in told["error"]
    assert 0 <= told["wait_seconds"] <= 1


class Busy(BaseHTTPRequestHandler):
    """Refuses so many requests, then answers."""

    refusals: ClassVar[list[int]] = []

    def do_GET(self) -> None:
        status = self.refusals.pop() if self.refusals else 200
        body = b"content" if status == 200 else b"<Error><Code>SlowDown</Code><Message>busy</Message></Error>"
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


def test_a_busy_store_is_asked_again_until_it_answers_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "OF_A_STORE", wait_none())
    with HTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = StoreAddress("b", f"http://127.0.0.1:{server.server_port}", "eu-north-1", True, True, None, "k", "s")
        bucket = ObjectStore(address)
        with capture_logs() as logs:
            Busy.refusals = [503, 502, 500]
            assert bucket.get("a") == b"content"
            assert [log["attempt"] for log in logs] == [1, 2, 3]
            assert all("SlowDown" in log["error"] for log in logs)
            Busy.refusals = [503] * 9
            with pytest.raises(OverloadedError):
                bucket.get("a")
            assert len(Busy.refusals) == 9 - 5
        server.shutdown()
