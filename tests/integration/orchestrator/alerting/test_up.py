"""A night that ends tells what it has to tell before it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from psycopg2.extras import Json

from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.project import PROJECT_DIR
from tests.databases import Execute
from tests.integration.orchestrator.conftest import environment_of
from tests.integration.orchestrator.queue.queued import add_job, ask
from tests.receivers import Receiver

pytestmark = pytest.mark.stack

ALL = 1000
"""Whenever the next attempt is due, it is refused as well."""


@pytest.mark.parametrize("refusals", [0, pytest.param(ALL, marks=pytest.mark.slow)])
def test_the_last_failure_of_a_night_is_told_and_a_dead_channel_does_not_keep_it_up(
    database: OrchestratorDatabase,
    orchestrator_settings: PostgreSQLSettings,
    execute: Execute,
    web: Receiver,
    tmp_path: Path,
    refusals: int,
) -> None:
    web.refusals = refusals
    add_job(execute, "a", command=Json({"argv": ["sh", "-c", "sleep 1; echo no such table >&2; exit 2"]}))
    ask(database, "a")
    (tmp_path / "etl.yaml").write_text('alerts: {channels: {ops: "${OPS_URL}"}, rules: [{channel: ops}]}')

    done = subprocess.run(
        [sys.executable, "-m", "etl.orchestrator", "up", "--until-idle", "--config-dir", str(tmp_path)],
        env={**environment_of(orchestrator_settings), "OPS_URL": f"json://127.0.0.1:{web.port}/"},
        cwd=PROJECT_DIR,
        stderr=subprocess.PIPE,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 1, done.stderr
    assert web.tries > 0
    assert [subject for subject, _ in web.taken] == ["failed: a (2026-11-26T02:00:00Z)"][: not refusals]
    assert ["no such table" in body for _, body in web.taken] == [True][: not refusals]
