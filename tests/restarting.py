"""A PostgreSQL of a test's own, alone, to be broken and started again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from etl.config.settings import PostgreSQLSettings
from etl.project import PROJECT_DIR
from etl.stack import environment
from etl.stack.embedded import Stack
from etl.stack.layout import DATA_DIR_VARIABLE, Layout
from tests.conftest import RunningStack
from tests.stacks import own_data_dir, remove_stack


@contextmanager
def own_postgresql(purpose: str) -> Iterator[Layout]:
    """Running; gone with its data when the block ends."""
    layout = Layout(own_data_dir(purpose))
    try:
        start(layout)
        yield layout
    finally:
        remove_stack(layout.data_dir)


def start(layout: Layout) -> None:
    """In a process of its own: the server must not be our child."""
    command = [sys.executable, "-m", "etl.stack", "up", "postgresql"]
    variables = {**os.environ, DATA_DIR_VARIABLE: str(layout.data_dir)}
    subprocess.run(command, cwd=PROJECT_DIR, env=variables, check=True, stdout=subprocess.DEVNULL)


def server_of(layout: Layout) -> PostgreSQLSettings:
    stack = Stack(layout, say=print)
    credentials = stack.credentials()
    assert credentials is not None
    settings = RunningStack(layout.data_dir, environment.variables(stack.ports(), credentials)).settings.postgresql
    assert settings is not None
    return settings
