"""The door against a server that says what the test wants."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr

from etl.clickhouse import connections
from etl.clickhouse.door import ClickHouseDoor
from etl.config.destinations.clickhouse.settings import ClickHouseSettings
from etl.errors import (
    ConnectionLostError,
    ContentionError,
    DataError,
    EtlError,
    OverloadedError,
    StoreError,
    TransientError,
)


class Answers(BaseHTTPRequestHandler):
    status = 200
    code = ""
    body = b""
    seen: list[Any]
    pause_seconds = 0.0

    def do_POST(self) -> None:
        time.sleep(self.pause_seconds)
        length = self.headers.get("Content-Length")
        sent = self.rfile.read(int(length)) if length else b"".join(self._chunks())
        self.seen.append((urlsplit(self.path), dict(self.headers), sent))
        self.send_response(self.status)
        if self.code:
            self.send_header("X-ClickHouse-Exception-Code", self.code)
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.rfile.read(size)
            self.rfile.readline()


Serve = Callable[..., tuple[ClickHouseSettings, list[Any]]]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = []

    def start(
        status: int = 200, code: str = "", body: bytes = b"", pause_seconds: float = 0
    ) -> tuple[ClickHouseSettings, list[Any]]:
        says = {"status": status, "code": code, "body": body, "seen": [], "pause_seconds": pause_seconds}
        answers = type("Answering", (Answers,), says)
        server = ThreadingHTTPServer(("127.0.0.1", 0), answers)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = ClickHouseSettings(
            host="127.0.0.1", port=server.server_port, user="ü", password=SecretStr("s3cr&t"), database="db"
        )
        return settings, answers.seen

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (500, "252", OverloadedError),
        (500, "241", OverloadedError),
        (500, "202", OverloadedError),
        (503, "", OverloadedError),
        (500, "159", ConnectionLostError),
        (500, "209", ConnectionLostError),
        (500, "210", ConnectionLostError),
        (500, "473", ContentionError),
        (500, "349", DataError),
        (400, "321", DataError),
        (400, "62", StoreError),
        (403, "516", StoreError),
        (200, "60", StoreError),
    ],
)
def test_what_a_refusal_means(serve: Serve, status: int, code: str, kind: type[EtlError]) -> None:
    settings, _ = serve(status, code, b"Code: said so")

    with ClickHouseDoor(settings) as door, pytest.raises(kind) as caught:
        door.execute("ALTER TABLE `t` DROP COLUMN `x` secret values")

    assert isinstance(caught.value, TransientError) == (kind in (OverloadedError, ConnectionLostError, ContentionError))
    assert settings.address in caught.value.message
    assert "s3cr&t" not in caught.value.message
    assert "secret values" not in caught.value.message


def test_credentials_stand_in_a_header_and_values_are_bound(serve: Serve) -> None:
    settings, seen = serve(body=b'{"data": [["x", 9007199254740993]]}')

    with ClickHouseDoor(settings) as door:
        rows = door.query("SELECT {name:String}, 1", parameters={"name": "a\tb\\"})

    assert rows == [["x", 9007199254740993]]
    [(url, headers, sent)] = seen
    assert sent == b"SELECT {name:String}, 1"
    assert headers["Authorization"] == "Basic w7w6czNjciZ0"
    assert "s3cr" not in url.query
    fields = parse_qs(url.query)
    assert fields["param_name"] == ["a\\tb\\\\"]
    assert fields["database"] == ["db"]
    assert {name: fields[name] for name in ("async_insert", "input_format_null_as_default", "wait_end_of_query")} == {
        "async_insert": ["0"],
        "input_format_null_as_default": ["0"],
        "wait_end_of_query": ["1"],
    }


def test_an_insert_streams_its_body(serve: Serve) -> None:
    settings, seen = serve()

    with ClickHouseDoor(settings) as door:
        door.insert("INSERT INTO t FORMAT ArrowStream", iter([b"one", b"two"]))

    [(url, headers, sent)] = seen
    assert sent == b"onetwo"
    assert headers["Transfer-Encoding"] == "chunked"
    assert parse_qs(url.query)["query"] == ["INSERT INTO t FORMAT ArrowStream"]


@pytest.mark.parametrize("kind", [iter, b"".join], ids=["in pieces", "as one"])
def test_a_server_may_take_rows_as_slowly_as_it_answers(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, kind: Callable[[list[bytes]], Any]
) -> None:
    """The limit of connecting is no limit of sending."""
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.2)
    settings, seen = serve(pause_seconds=0.6)
    with ClickHouseDoor(settings) as door:
        door.insert("INSERT INTO t FORMAT ArrowStream", kind([b"x" * 16 * 1024 * 1024] * 2))
        door.insert("INSERT INTO t FORMAT ArrowStream", kind([b"x" * 16 * 1024 * 1024] * 2))
    assert [len(sent) for _, _, sent in seen] == [32 * 1024 * 1024] * 2


@pytest.mark.parametrize("rows", [b"x", b"x" * 64 * 1024 * 1024], ids=["answers nothing", "takes nothing"])
def test_a_server_that_stands_still_is_given_up_in_its_time(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, rows: bytes
) -> None:
    monkeypatch.setattr(connections, "_SERVER_FIRST_SECONDS", 0)
    settings, _ = serve(pause_seconds=2)
    said = r"during INSERT INTO t FORMAT, found none within 1 s; .*\(clickhouse\.timeout_seconds\)\?$"
    with (
        ClickHouseDoor(settings.model_copy(update={"timeout_seconds": 1})) as door,
        pytest.raises(ConnectionLostError, match=said),
    ):
        door.insert("INSERT INTO t FORMAT ArrowStream", rows)


def test_a_server_that_is_not_there_is_a_lost_connection() -> None:
    settings = ClickHouseSettings(host="127.0.0.1", port=1, password=SecretStr("s3cret"))

    with ClickHouseDoor(settings) as door, pytest.raises(ConnectionLostError) as caught:
        door.execute("SELECT 1")
    assert caught.value.message == (
        "expected an answer from ClickHouse at http://127.0.0.1:1/default during SELECT 1, the connection failed: "
        "Connection refused; is the server up?"
    )


def test_a_server_that_ends_the_connection_is_said_to_have(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, _ = serve()
    monkeypatch.setattr(Answers, "send_response", lambda self, *_: self.connection.shutdown(socket.SHUT_RDWR))
    monkeypatch.setattr(Answers, "end_headers", lambda self: None)
    with ClickHouseDoor(settings) as door, pytest.raises(ConnectionLostError, match=r"it ended before the answer; is"):
        door.execute("SELECT 1")


def test_an_exception_in_the_answers_own_format_is_read(serve: Serve) -> None:
    settings, _ = serve(400, "62", b'{"meta": [], "rows": 0, "exception": "Code: 62. DB::Exception: Too long"}')
    with ClickHouseDoor(settings) as door, pytest.raises(StoreError, match=r"refused with code 62: Code: 62\. DB::Exc"):
        door.query("SELECT 1")
