"""PostgreSQL breaks down and comes back while jobs run."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.database.installation import install
from etl.stack.embedded import Stack
from etl.stack.layout import Layout
from tests.databases import PATIENCE_SECONDS, statements_of
from tests.integration.orchestrator.conftest import SCHEMA
from tests.integration.orchestrator.queue.queued import active_locks, add_job, ask, events, statuses
from tests.integration.orchestrator.work.working import add_script, becomes, output, working
from tests.patience import eventually
from tests.restarting import own_postgresql, server_of, start

pytestmark = pytest.mark.slow


@pytest.fixture
def layout() -> Iterator[Layout]:
    """PostgreSQL alone, to be restarted."""
    with own_postgresql("restarted-orchestrator") as layout:
        yield layout


def test_jobs_go_on_and_their_ends_are_written_when_the_server_is_back(layout: Layout, tmp_path: Path) -> None:
    settings = server_of(layout)
    gates = [tmp_path / name for name in ("during", "after")]
    with closing(OrchestratorDatabase(settings, SCHEMA)) as database:
        install(database)
        with statements_of(settings) as execute:
            execute("SET search_path = orchestrator")
            for gate in gates:
                script = f"echo begun; while [ ! -e {gate} ]; do sleep 0.05; done; echo ended"
                add_script(execute, gate.name, script, retries=0)
            add_job(execute, "child", ["during"])
            made = ask(database, "during", "after", "child")
        with working(database, lease_seconds=120):  # however busy this machine is
            with statements_of(settings) as execute:
                execute("SET search_path = orchestrator")
                assert eventually(lambda: all(output(execute, made[gate.name].run_id) for gate in gates))
            (postmaster,) = Stack(layout, say=print).status()[0].process_ids
            os.kill(postmaster, signal.SIGQUIT)
            psutil.Process(postmaster).wait(timeout=PATIENCE_SECONDS)
            gates[0].touch()
            start(layout)
            gates[1].touch()
            with statements_of(settings) as execute:
                execute("SET search_path = orchestrator")
                for run in made.values():
                    assert becomes(execute, run.run_id, "success")
                assert statuses(execute) == dict.fromkeys(("during", "after", "child"), "success")
                assert active_locks(execute) == 0
                for gate in gates:
                    assert output(execute, made[gate.name].run_id) == "begun\nended\n"
                    assert events(execute, made[gate.name].run_id)[-3:] == ["claimed", "started", "succeeded"]
