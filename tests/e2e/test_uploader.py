"""The README's three commands for the uploader, in a clone of what is committed, on a machine without Java."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from tests.e2e.clones import bare_clone, commands_of, run

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.fixture
def clone() -> Iterator[Path]:
    with bare_clone() as folder:
        yield folder


def test_three_commands_lead_from_a_clone_to_rows(clone: Path) -> None:
    commands = commands_of(clone, "Uploader")
    assert len(commands) == 3
    said = [run(clone, command) for command in commands]
    url = (clone / ".data" / "stack" / "postgresql.dsn").read_text().strip()
    assert url not in said[-1]
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT view_id), sum(revenue) > 0 FROM page_views")
        assert cursor.fetchone() == (200, 200, True)
    packages = subprocess.run([clone / ".venv/bin/pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "pyspark" not in packages
    assert "boto3" not in packages
