"""The README's three commands for the uploader, in a clone of what is committed, on a machine without Java."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from etl.stack.layout import PROJECT_DIR

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.timeout(900)]


@pytest.fixture
def clone() -> Iterator[Path]:
    """Not below pytest's folder, which the user that PostgreSQL runs under may not enter."""
    folder = PROJECT_DIR / ".data" / f"test-clone-{os.getpid()}"
    subprocess.run(["git", "clone", "--quiet", str(PROJECT_DIR), str(folder)], check=True)
    yield folder
    python = folder / ".venv" / "bin" / "python"
    if python.exists():
        subprocess.run([python, "-m", "etl.stack", "reset"], cwd=folder, env=bare_environment(), check=True)
    shutil.rmtree(folder)


def bare_environment() -> dict[str, str]:
    named = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "HTTP", "SSL"))}
    return {**named, "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "JAVA_HOME": "/nowhere"}


def test_three_commands_lead_from_a_clone_to_rows(clone: Path) -> None:
    readme = (clone / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Uploader", 1)[1]
    found = re.search(r"```console\n(.*?)```", section, re.DOTALL)
    assert found is not None
    commands = found[1].splitlines()
    assert len(commands) == 3
    for command in commands:
        done = subprocess.run(
            ["sh", "-c", command], cwd=clone, env=bare_environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    url = (clone / ".data" / "stack" / "postgresql.dsn").read_text().strip()
    assert url not in done.stdout + done.stderr
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*), count(DISTINCT view_id), sum(revenue) > 0 FROM page_views")
        assert cursor.fetchone() == (200, 200, True)
    packages = subprocess.run([clone / ".venv/bin/pip", "list"], capture_output=True, text=True, check=True).stdout
    assert "pyspark" not in packages
    assert "boto3" not in packages
