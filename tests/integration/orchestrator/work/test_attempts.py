"""Attempts of real processes by a worker in a thread: how they end, are tried again, and are ended."""

from __future__ import annotations

import sys

import pytest

from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.work.output import KEPT_BYTES
from tests.databases import Execute
from tests.integration.orchestrator.queue.queued import active_locks, event, events, run_row
from tests.integration.orchestrator.work.working import (
    add_command,
    add_script,
    asked,
    becomes,
    eventually,
    lives,
    output,
    pids_told,
    working,
)

STUBBORN_TREE = """
trap '' TERM
sh -c 'trap "" TERM; echo grandchild $$; sleep 1000 & wait' &
echo parent $$
while :; do sleep 0.1; done
"""


def test_a_command_runs_with_its_words_and_environment(database: OrchestratorDatabase, execute: Execute) -> None:
    script = 'echo "$1 $2"; echo "$ETL_FENCE $ETL_ORCHESTRATOR_JOB $ETL_ORCHESTRATOR_ATTEMPT $ETL_ORCHESTRATOR_CYCLE"'
    words = ["sh", "-c", script, "sh", "{tables}", "{n}-{run_id}"]
    add_command(execute, "a", words, parameters='{"tables": ["x", "y"], "n": 7}')
    run_id = asked(database, "a")
    with working(database):
        assert becomes(execute, run_id, "success")
    row = run_row(execute, run_id)
    assert output(execute, run_id) == f"x,y 7-{run_id}\norchestrator/{run_id}/{row['fencing_token']} a 1 of-a\n"
    assert events(execute, run_id) == ["requested", "ready", "claimed", "started", "succeeded"]
    assert active_locks(execute) == 0


def test_a_failure_is_tried_again_until_it_succeeds_and_each_wait_is_told(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    script = (
        'echo "attempt $ETL_ORCHESTRATOR_ATTEMPT"; [ "$ETL_ORCHESTRATOR_ATTEMPT" = 3 ] || { echo sorry >&2; exit 1; }'
    )
    add_script(execute, "a", script, retries=5)
    run_id = asked(database, "a")
    with working(database):
        assert becomes(execute, run_id, "success")
    again = ["claimed", "started", "retry_scheduled"]
    assert events(execute, run_id)[2:] == [*again, *again, "claimed", "started", "succeeded"]
    assert event(execute, run_id, "retry_scheduled")["details"]["wait_seconds"] >= 0
    failure = event(execute, run_id, "retry_scheduled")["details"]["failure"]
    assert failure["error_class"] == "exit 1"
    assert failure["message"].endswith("sorry")
    assert output(execute, run_id) == "attempt 1\nattempt 2\nattempt 3\n"


@pytest.mark.parametrize(
    ("script", "error_class"),
    [("exit 2", "exit 2"), ("exec no-such-command", "exit 127")],
)
def test_what_is_permanent_is_tried_once(
    database: OrchestratorDatabase, execute: Execute, script: str, error_class: str
) -> None:
    add_script(execute, "a", script, retries=5)
    run_id = asked(database, "a")
    with working(database):
        assert becomes(execute, run_id, "failed")
    row = run_row(execute, run_id)
    assert (row["attempts"], row["error_class"], row["is_transient_error"]) == (1, error_class, False)


def test_what_cannot_be_started_says_so(database: OrchestratorDatabase, execute: Execute) -> None:
    add_command(execute, "missing", ["no-such-command"], retries=5)
    add_command(execute, "unfilled", ["echo", "{day}"], retries=5)
    missing, unfilled = asked(database, "missing"), asked(database, "unfilled")
    with working(database):
        assert becomes(execute, missing, "failed")
        assert becomes(execute, unfilled, "failed")
    row = run_row(execute, missing)
    assert (row["error_type"], row["error_class"], row["attempts"]) == ("start", "ENOENT", 1)
    assert "'no-such-command' cannot be started" in row["error_message"]
    assert "expected a value for {day}" in run_row(execute, unfilled)["error_message"]


def test_a_signal_from_outside_is_transient_and_named(database: OrchestratorDatabase, execute: Execute) -> None:
    add_script(execute, "a", "kill -9 $$", retries=1)
    run_id = asked(database, "a")
    with working(database):
        assert becomes(execute, run_id, "failed")
    row = run_row(execute, run_id)
    assert (row["attempts"], row["error_type"], row["error_class"]) == (2, "signal", "SIGKILL")
    assert row["is_transient_error"] is True


def test_a_timeout_ends_the_job_and_is_tried_again(database: OrchestratorDatabase, execute: Execute) -> None:
    add_script(execute, "a", "trap 'exit 0' TERM; while :; do sleep 0.05; done", retries=1, timeout_seconds=0.3)
    run_id = asked(database, "a")
    with working(database):
        assert becomes(execute, run_id, "failed")
    told = ["claimed", "started", "timed_out", "terminated"]
    assert events(execute, run_id)[2:] == [*told, "retry_scheduled", *told, "failed"]
    row = run_row(execute, run_id)
    assert (row["error_type"], row["error_class"]) == ("timeout", "timeout")


def test_a_cancelled_tree_that_will_not_end_is_killed_with_all_its_processes(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_script(execute, "a", STUBBORN_TREE)
    run_id = asked(database, "a")
    with working(database, lease_seconds=3):
        pids = pids_told(execute, run_id, 2)
        assert all(map(lives, pids.values()))
        execute(
            "UPDATE dw_etl_runs SET cancel_requested_at = now(), cancelled_by = 'me', reason = 'why not'"
            " WHERE run_id = %s",
            (run_id,),
        )
        assert becomes(execute, run_id, "cancelled")
    assert not any(map(lives, pids.values()))
    assert events(execute, run_id)[-3:] == ["terminated", "killed", "cancelled"]
    row = run_row(execute, run_id)
    assert (row["cancelled_by"], row["reason"]) == ("me", "why not")
    assert active_locks(execute) == 0


def test_a_lock_that_was_released_by_hand_ends_the_job_and_fences_its_end(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    add_script(execute, "a", "echo parent $$; exec sleep 1000")
    run_id = asked(database, "a")
    with working(database, lease_seconds=3):
        pids = pids_told(execute, run_id, 1)
        execute("UPDATE dw_etl_job_locks SET status = 'expired', released_at = now()")
        execute("UPDATE dw_etl_runs SET reason = 'as somebody left it'")
        before = run_row(execute, run_id)
        assert eventually(lambda: events(execute, run_id)[-1] == "fenced")
    assert not lives(pids["parent"])
    assert run_row(execute, run_id) == before


def test_output_is_bounded_masked_and_text_that_postgresql_takes(
    database: OrchestratorDatabase, execute: Execute
) -> None:
    writes = (
        "import sys; out = sys.stdout.buffer; out.write(b'first \\0 \\xff hunter2secret\\n');"
        f" [out.write(b'%d padding\\n' % n) for n in range({KEPT_BYTES // 4})];"
        " out.write(b'password=abcdef last line without an end')"
    )
    add_command(execute, "a", [sys.executable, "-c", writes])
    run_id = asked(database, "a")
    with working(database, secrets=("hunter2secret",)):
        assert becomes(execute, run_id, "success")
    text = output(execute, run_id)
    assert text.startswith("first  \ufffd ***\n0 padding\n1 padding\n")
    assert text.endswith("password=*** last line without an end")
    assert " bytes of stdout left out …\n" in text
    assert len(text.encode()) <= 2 * KEPT_BYTES + 100


def test_output_can_be_read_while_the_job_runs(database: OrchestratorDatabase, execute: Execute) -> None:
    add_script(execute, "a", "echo one; echo two >&2; exec sleep 1000")
    run_id = asked(database, "a")
    with working(database):
        assert eventually(lambda: output(execute, run_id) == "one\n" and output(execute, run_id, "stderr") == "two\n")


def test_a_fault_of_one_attempt_is_its_own(
    database: OrchestratorDatabase, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`command` without argv, which no jobs file can write."""
    add_command(execute, "bad", ["true"], command="{}")
    add_script(execute, "good", "exit 0")
    bad, good = asked(database, "bad"), asked(database, "good")
    with working(database):
        assert becomes(execute, bad, "failed")
        assert becomes(execute, good, "success")
    assert "the worker itself failed: KeyError('argv')" in run_row(execute, bad)["error_message"]
