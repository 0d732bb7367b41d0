"""Brings the servers up, waits until each answers, and takes them down again."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from etl.errors import ConnectionLostError, StoreError
from etl.stack import processes
from etl.stack.clickhouse import ClickHouseServer
from etl.stack.credentials import RESET_HINT, Credentials, new_credentials, read_credentials, write_credentials
from etl.stack.environment import OwnServers, variables
from etl.stack.layout import Layout, locked, write_private
from etl.stack.ports import free_port, is_occupied, read_former_ports, read_ports, write_ports
from etl.stack.postgresql import PostgreSQLServer
from etl.stack.s3 import S3Server
from etl.stack.server import Server

SERVER_NAMES = ("postgresql", "clickhouse", "s3")
START_TIMEOUT_SECONDS = 120
_STARTS = 3
_PAUSE_SECONDS = 0.2

Say = Callable[[str], None]


@dataclass(frozen=True)
class ServerStatus:
    name: str
    is_up: bool
    port: int
    process_ids: tuple[int, ...]
    log_files: tuple[Path, ...]


class Stack:
    """The three servers of one data folder. Changes are made by one process at a time."""

    def __init__(self, layout: Layout, say: Say) -> None:
        self._layout = layout
        self._say = say

    def up(self, names: Collection[str] = SERVER_NAMES) -> None:
        """Idempotent; when it returns, each named server lets our password in and has its databases or bucket."""
        with self._locked():
            credentials = self._credentials_for_start()
            servers = [server for server in _servers(self._layout, credentials) if server.name in names]
            ports = read_ports(self._layout.ports_file)
            # Started side by side, then waited for: the slowest sets the time.
            for server in servers:
                self._start(server, ports)
            for server in servers:
                self._wait(server, ports)
                server.create_content(ports)
            if "postgresql" in names:
                write_private(self._layout.dsn_file, variables(ports, credentials)["ETL_POSTGRES_URL"] + "\n")

    def down(self) -> None:
        """Leaves no process, also of a stack whose data folder was deleted under it."""
        with self._locked():
            self._stop_all()

    def reset(self) -> None:
        """`down`, then everything the servers stored is deleted."""
        with self._locked():
            for server in self._stop_all():
                server.delete()
            self._layout.delete_content()

    def status(self) -> list[ServerStatus]:
        credentials = self.credentials() or new_credentials()
        ports = self.ports()
        return [_status(server, ports) for server in _servers(self._layout, credentials)]

    def credentials(self) -> Credentials | None:
        return read_credentials(self._layout.credentials_file)

    def ports(self) -> dict[str, int]:
        return read_ports(self._layout.ports_file)

    def own_servers(self) -> OwnServers | None:
        """None where the stack has never been started."""
        credentials = self.credentials()
        if credentials is None:
            return None
        return OwnServers(credentials, self.ports(), read_former_ports(self._layout.ports_file))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._layout.create()
        with locked(self._layout.lock_file, on_wait=lambda: self._say("waiting for another shell to finish ...")):
            yield

    def _credentials_for_start(self) -> Credentials:
        credentials = self.credentials()
        if credentials is None:
            if self._layout.ports_file.exists():
                raise StoreError(f"{self._layout.credentials_file}, with the servers' passwords, is gone; {RESET_HINT}")
            self._stop_all()  # of a stack whose folder was deleted under it: nobody has its passwords any more
            credentials = new_credentials()
            write_credentials(self._layout.credentials_file, credentials)
        return credentials

    def _start(self, server: Server, ports: dict[str, int]) -> None:
        if server.processes():
            return
        processes.stop(server.remains(), server.stop_signal)
        for name in server.port_names:
            ports[name] = free_port(ports[name], taken={port for other, port in ports.items() if other != name})
        # Before the server starts: whoever finds it running must find its port, even if we are killed now.
        write_ports(self._layout.ports_file, ports)
        self._say(f"starting {server.name} on port {ports[server.port_names[0]]} ...")
        server.start(ports)

    def _wait(self, server: Server, ports: dict[str, int]) -> None:
        for _ in range(_STARTS):
            if self._answers_in_time(server, ports):
                return
            # It lost its port to somebody quicker, was being shut down when we came, or hangs: once more, afresh.
            processes.stop(server.processes(), server.stop_signal)
            self._start(server, ports)
        log = server.log_files[-1]
        raise ConnectionLostError(
            f"{server.name} should answer on port {ports[server.port_names[0]]} but did not after {_STARTS} starts; "
            f"the end of {log}:\n{processes.tail(log)}"
        )

    def _answers_in_time(self, server: Server, ports: dict[str, int]) -> bool:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if server.is_answering(ports):
                return True
            if not server.processes():
                return False
            time.sleep(_PAUSE_SECONDS)
        return False

    def _stop_all(self) -> list[Server]:
        servers = _servers(self._layout, self.credentials() or new_credentials())
        # All are asked before the first is waited for. Asked once only: a second signal makes ClickHouse drop its work.
        asked = [(server, [*server.processes(), *server.remains()]) for server in servers]
        for server, running in asked:
            if running:
                self._say(f"stopping {server.name} ...")
                processes.send(running, server.stop_signal)
        for server, running in asked:
            processes.see_off(running)
            processes.stop(server.remains(), server.stop_signal)
        return servers


def _servers(layout: Layout, credentials: Credentials) -> list[Server]:
    return [
        PostgreSQLServer(layout, credentials),
        ClickHouseServer(layout, credentials),
        S3Server(layout, credentials),
    ]


def _status(server: Server, ports: dict[str, int]) -> ServerStatus:
    found = tuple(process.pid for process in server.processes())
    port = ports[server.port_names[0]]
    is_up = bool(found) and is_occupied(port) and server.is_answering(ports)
    return ServerStatus(server.name, is_up, port, found, server.log_files)
