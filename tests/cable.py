"""A cable between a client and a server that can be pulled: all connections end, and none comes through."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def cable_to(host: str, port: int) -> Iterator[Cable]:
    cable = Cable((host, port))
    try:
        yield cable
    finally:
        cable.pull()
        end(cable.listener)


class Cable:
    """`port`: where a client of this machine finds the server."""

    def __init__(self, server: tuple[str, int]) -> None:
        self._server = server
        self._is_whole = True
        self._open: set[socket.socket] = set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def pull(self) -> None:
        self._is_whole = False
        for each in list(self._open):
            end(each)

    def plug(self) -> None:
        self._is_whole = True

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with suppress(OSError):
            server = socket.create_connection(self._server)
            ends = {client, server}
            self._open |= ends
            if self._is_whole:
                threading.Thread(target=_pass_on, args=(server, client), daemon=True).start()
                _pass_on(client, server)
            self._open -= ends
            end(server)
        end(client)


def end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    end(target)
    end(source)
