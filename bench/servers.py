"""The embedded servers in a data folder of the benchmark's own, and the configuration that points to them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.events import POSTGRESQL_TYPES
from etl.config.configuration import load_configuration
from etl.config.settings import Settings
from etl.project import PROJECT_DIR
from etl.stack import environment
from etl.stack.embedded import Stack
from etl.stack.layout import DATA_DIR_VARIABLE, Layout

DATA_DIR = PROJECT_DIR / ".data" / "bench-stack"
SOURCE_SCHEMA, SOURCE_TABLE = "bench", "events"

_ENTRY = """\
tables:
  {table}:
    kind: event
    key: event_id
    s3: {{path: "bench/{table}"}}
    source:
      schema_name: {schema}
      table: {source}
      columns:
{columns}
"""


@contextmanager
def embedded_servers(*names: str) -> Iterator[dict[str, str]]:
    """The variables of empty servers, all or those named; when it ends they are stopped and their data is gone."""
    stack = Stack(Layout(DATA_DIR), say=print)
    stack.reset()
    try:
        # by a process of its own, as a user would: the servers must not be our children
        subprocess.run(
            [sys.executable, "-m", "etl.stack", "up", *names],
            cwd=PROJECT_DIR,
            env={**os.environ, DATA_DIR_VARIABLE: str(DATA_DIR)},
            check=True,
        )
        credentials = stack.credentials()
        assert credentials is not None
        yield environment.variables(stack.ports(), credentials)
    finally:
        stack.reset()
        shutil.rmtree(DATA_DIR, ignore_errors=True)


def clickhouse_native_port() -> int:
    """Of the servers that are up; the product itself speaks HTTP only."""
    return Stack(Layout(DATA_DIR), say=print).ports()["clickhouse_native"]


def read_settings(variables: dict[str, str]) -> Settings:
    with configuration("events") as folder:
        return load_configuration(folder, variables).settings


@contextmanager
def configuration(table: str) -> Iterator[Path]:
    """A folder of configuration with one table of events under this name: by day into Delta, by month into ClickHouse.

    Its rows come from `bench.events` of the source database whatever the name, so that each run can have fresh targets.
    """
    columns = "\n".join(f"        {name}: {kind}" for name, kind in POSTGRESQL_TYPES.items())
    with TemporaryDirectory(prefix="ownlens-bench-") as name:
        folder = Path(name)
        (folder / "tables").mkdir()
        entry = _ENTRY.format(table=table, schema=SOURCE_SCHEMA, source=SOURCE_TABLE, columns=columns)
        (folder / "tables" / "bench.yaml").write_text(entry, encoding="utf-8")
        yield folder
