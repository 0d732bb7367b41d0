"""The README's commands for the staging loader, in a clone of what is committed, on a machine without Java."""

from __future__ import annotations

import subprocess
from contextlib import closing

import psycopg2
import pytest

from tests.e2e.clones import bare_clone, commands_of, run

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.timeout(900)]


def test_the_commands_lead_from_a_clone_to_rows() -> None:
    with bare_clone() as clone:
        said = run(clone, "\n".join(commands_of(clone, "Load JSON into staging tables")))
        url = (clone / ".data" / "stack" / "postgresql.dsn").read_text().strip()
        assert "created stg_audience_events" in said
        assert "success in" in said
        assert url not in said
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) > 0, count(*) = count(DISTINCT source_id) FROM stg_audience_events")
            assert cursor.fetchone() == (True, True)
        packages = subprocess.run([clone / ".venv/bin/pip", "list"], capture_output=True, text=True, check=True).stdout
        assert "pyspark" not in packages
