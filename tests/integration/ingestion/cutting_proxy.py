"""A TCP proxy before PostgreSQL that cuts connections at the worst moment."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from etl.config.settings import PostgreSQLSettings
from tests.cable import end
from tests.databases import PATIENCE_SECONDS

_COMMIT = b"Q\x00\x00\x00\x0bCOMMIT\x00"

Says = Callable[[bytes], bool]
"""Whether what the client sends now is the moment; called by one thread at a time."""


@contextmanager
def cutting_proxy(
    server: PostgreSQLSettings, is_the_moment: Says, *, after_the_answer: bool = False
) -> Iterator[PostgreSQLSettings]:
    """The same database through the proxy. `after_the_answer`: the server gets what was sent and answers, the client
    does not hear it."""
    proxy = _Proxy(server, is_the_moment, after_the_answer)
    try:
        yield server.model_copy(update={"host": "127.0.0.1", "port": proxy.port})
    finally:
        proxy.close()


def after_bytes(count: int) -> Says:
    """Once, when all clients together have sent so much since the first COPY."""
    sent = 0

    def say(data: bytes) -> bool:
        nonlocal sent
        if not sent and not _begins_copy(data):
            return False
        before, sent = sent, sent + len(data)
        return before < count <= sent

    return say


def at_commits(*numbers: int) -> Says:
    """At the first, second, … COMMIT since the first COPY, counted from 1."""
    seen, has_begun = 0, False

    def say(data: bytes) -> bool:
        nonlocal seen, has_begun
        has_begun = has_begun or _begins_copy(data)
        if not has_begun or not data.endswith(_COMMIT):
            return False
        seen += 1
        return seen in numbers

    return say


def _begins_copy(data: bytes) -> bool:
    return b"COPY " in data and b"FROM STDIN" in data.upper()


class _Proxy:
    def __init__(self, server: PostgreSQLSettings, is_the_moment: Says, after_the_answer: bool) -> None:
        self._address = str(server.host), server.port
        self._is_the_moment = is_the_moment
        self._after_the_answer = after_the_answer
        self._one_at_a_time = threading.Lock()
        self._open: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in (self._listener, *self._open):
            end(each)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._address)
                self._open += [client, server]
                is_deaf = threading.Event()
                threading.Thread(target=self._to_server, args=(client, server, is_deaf), daemon=True).start()
                threading.Thread(target=_to_client, args=(server, client, is_deaf), daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket, is_deaf: threading.Event) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                with self._one_at_a_time:
                    is_now = self._is_the_moment(data)
                if is_now and not self._after_the_answer:
                    break
                if is_now:
                    is_deaf.set()
                server.sendall(data)
                if is_now:
                    return  # the other direction waits for the answer and ends both
        end(client)
        end(server)


def _to_client(server: socket.socket, client: socket.socket, is_deaf: threading.Event) -> None:
    with suppress(OSError):
        server.settimeout(PATIENCE_SECONDS)
        while data := server.recv(1 << 16):
            if is_deaf.is_set():
                break
            client.sendall(data)
    end(client)
    end(server)
