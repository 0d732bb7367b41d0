"""The README's commands for the orchestrator on a machine without Java, in a clone of what is committed."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing

import psycopg2
import pytest

from tests.e2e.clones import bare_clone, bare_environment, commands_of, run

pytestmark = [pytest.mark.slow, pytest.mark.stack, pytest.mark.timeout(1200)]


def test_three_commands_lead_from_a_clone_to_a_cycle_that_ran() -> None:
    with bare_clone() as clone:
        commands = commands_of(clone, "Run the jobs of a night", "On a machine without Java")
        assert len(commands) == 3
        said = run(clone, "\n".join(commands))
        url = (clone / ".data" / "stack" / "postgresql.dsn").read_text().strip()
        assert "run 1 of silver_staging_tables is asked for" in said
        assert url not in said
        with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) > 0, count(*) = count(DISTINCT source_id) FROM stg_audience_events")
            assert cursor.fetchone() == (True, True)
        listed = subprocess.run(
            [clone / ".venv/bin/etl", "orchestrator", "run", "list", "--json"],
            env={**bare_environment(), "ETL_POSTGRES_URL": url},
            cwd=clone,
            capture_output=True,
            text=True,
            check=True,
        )
        runs = json.loads(listed.stdout)
        assert {run["slug"]: (run["status"], run["attempts"]) for run in runs} == {
            "silver_staging_tables": ("success", 1),
            "silver_staging_audience_events": ("success", 1),
            "silver_staging_newsletter_subscribers": ("success", 1),
        }
        assert all(run["records_written"] for run in runs if run["slug"] != "silver_staging_tables")
        packages = subprocess.run([clone / ".venv/bin/pip", "list"], capture_output=True, text=True, check=True).stdout
        assert "pyspark" not in packages
