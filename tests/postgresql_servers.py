"""PostgreSQL servers of a test's own: to be set up otherwise than the session's, to be followed, and to be promoted."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings
from etl.stack import processes
from etl.stack.account import Home
from etl.stack.credentials import Credentials, new_credentials
from etl.stack.layout import Layout
from etl.stack.ports import LOOPBACK, free_port
from etl.stack.postgresql import WAREHOUSE_DATABASE, PostgreSQLServer, _installed

_ADMIN = "postgres"
_PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class OwnServer:
    """Its administrator may all."""

    server: PostgreSQLServer
    home: Home
    credentials: Credentials
    program: Path
    ports: dict[str, int]

    @property
    def settings(self) -> PostgreSQLSettings:
        return PostgreSQLSettings(
            host=LOOPBACK,
            port=self.ports[self.server.name],
            user=_ADMIN,
            password=SecretStr(self.credentials.postgresql_admin),
            database=WAREHOUSE_DATABASE,
        )

    @property
    def url(self) -> str:
        port, password = self.ports[self.server.name], self.credentials.postgresql_admin
        return f"postgresql://{_ADMIN}:{password}@{LOOPBACK}:{port}/{WAREHOUSE_DATABASE}"

    def ask(self, statement: str) -> list[Any]:
        with closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []

    def restart(self) -> None:
        self.stop()
        self.start()

    def start(self) -> None:
        self.server.start(self.ports)
        end = time.monotonic() + _PATIENCE_SECONDS
        while not self.server.is_answering(self.ports):
            assert time.monotonic() < end, processes.tail(self.server.log_files[0])
            time.sleep(0.1)

    def stop(self) -> None:
        processes.stop(self.server.processes(), self.server.stop_signal)


@contextmanager
def own_server(data_dir: Path, program: Path | None = None) -> Iterator[OwnServer]:
    """Stopped, with all it stored, when the block ends. `program`: where another than the package's is to run."""
    own = _laid_out(data_dir, new_credentials(), program or _installed())
    with _running(own):
        own.server.create_content(own.ports)
        yield own


@contextmanager
def standby_of(primary: OwnServer, data_dir: Path) -> Iterator[OwnServer]:
    """A copy that follows it, read-only until it is promoted."""
    own = _laid_out(data_dir, primary.credentials, primary.program)
    own.home.create(own.credentials.stack_id)
    subprocess.run(
        [
            *(str(own.home.readable_copy(own.program) / "bin" / "pg_basebackup"), "--checkpoint=fast"),
            *("--write-recovery-conf", "--dbname", f"{primary.url}", "--pgdata", str(own.home.folder / "data")),
        ],
        cwd=own.home.folder,
        env=processes.base_environment(),
        check=True,
        **processes.identity(own.home.account),
    )
    with _running(own):
        yield own


@contextmanager
def _running(own: OwnServer) -> Iterator[None]:
    try:
        own.start()
        yield
    finally:
        own.stop()
        own.server.delete()


def _laid_out(data_dir: Path, credentials: Credentials, program: Path) -> OwnServer:
    layout = Layout(data_dir)
    layout.create()
    server = PostgreSQLServer(layout, credentials, program)
    home = Home(layout.server_dir(server.name), layout.data_dir)
    return OwnServer(server, home, credentials, program, {server.name: free_port(25900, taken=set())})
