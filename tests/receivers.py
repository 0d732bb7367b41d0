"""Servers that take alerts: of HTTP and of SMTP, real ones on loopback that refuse the first few."""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast


@dataclass
class Receiver:
    """`taken`: (subject, body) of each, or (path, body); `refusals` counts down, and `tries` up."""

    refusals: int = 0
    port: int = 0
    tries: int = 0
    taken: list[tuple[str, str]] = field(default_factory=list)
    hang: threading.Event | None = None
    """Whoever comes waits for it."""
    waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refuses(self) -> bool:
        with self._lock:
            self.tries += 1
            self.refusals -= 1
            return self.refusals >= 0


def _of_apprise(path: str, body: str) -> tuple[str, str]:
    sent = json.loads(body)
    return sent["title"], sent["message"]


@contextmanager
def lineage_receiver(refusals: int = 0) -> Iterator[Receiver]:
    """As a server of OpenLineage."""
    with http_receiver(refusals, lambda path, body: (path, body)) as receiver:
        yield receiver


@contextmanager
def http_receiver(refusals: int = 0, taken: Callable[[str, str], tuple[str, str]] = _of_apprise) -> Iterator[Receiver]:
    """As a webhook of apprise's `json://`, unless `taken` says what is kept of a path and a body; what it refuses it
    answers with 503."""
    receiver = Receiver(refusals)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if receiver.hang:
                receiver.waiting += 1
                receiver.hang.wait(60)
            if receiver.refuses():
                self.send_response(503)
            else:
                receiver.taken.append(taken(self.path, body))
                self.send_response(200)
            with suppress(ConnectionError):  # who asked may be gone
                self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """To nobody."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    with _serving(Server(("127.0.0.1", 0), Handler), receiver):
        yield receiver


@contextmanager
def smtp_receiver(refusals: int = 0) -> Iterator[Receiver]:
    """What it refuses it answers with 451, as a mail server that is too busy does."""
    receiver = Receiver(refusals)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self._say("220 receiver")
            while line := self.rfile.readline():
                verb = line.split()[0].upper() if line.split() else b""
                if verb == b"MAIL" and receiver.refuses():
                    self._say("451 too busy, user etl-mailer")
                elif verb == b"DATA":
                    self._say("354 go on")
                    receiver.taken.append(_mail(self._data()))
                    self._say("250 taken")
                elif verb == b"QUIT":
                    self._say("221 bye")
                    return
                else:
                    self._say("250 receiver")

        def _data(self) -> bytes:
            lines = []
            while (line := self.rfile.readline()).rstrip(b"\r\n") != b".":
                lines.append(line[1:] if line.startswith(b".") else line)
            return b"".join(lines)

        def _say(self, text: str) -> None:
            self.wfile.write(text.encode() + b"\r\n")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with _serving(Server(("127.0.0.1", 0), Handler), receiver):
        yield receiver


def _mail(data: bytes) -> tuple[str, str]:
    message = cast(EmailMessage, message_from_bytes(data, policy=policy.default))
    text = message.get_body(("plain",))
    assert text is not None
    return message["subject"], text.get_content().replace("\r\n", "\n").rstrip("\n")


@contextmanager
def _serving(server: socketserver.TCPServer, receiver: Receiver) -> Iterator[None]:
    receiver.port = server.server_address[1]
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
