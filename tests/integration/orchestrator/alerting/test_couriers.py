"""What arrives, by real HTTP and SMTP: each text whole, each alert at least once, whatever the channel is like."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import threading
from typing import Any

import pytest
from structlog.testing import capture_logs

from etl.alerts.channels import Channels
from etl.alerts.couriers import Couriers
from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.alerting.overdue import tell_of_overdue
from etl.orchestrator.alerting.wording import words_of
from etl.orchestrator.database.database import OrchestratorDatabase
from etl.orchestrator.queue.claims import finish
from etl.orchestrator.values import Claim, ErrorType, Failure, RunStatus
from tests.databases import Execute
from tests.integration.orchestrator.alerting.conftest import Rules, courier
from tests.integration.orchestrator.queue.queued import NO_COUNTS, add_job, ask, claim_one, fail, succeed
from tests.patience import until
from tests.receivers import Receiver

pytestmark = pytest.mark.stack


FAILED_TEXT = """\
Job:      bronze_companies (bronze): Companies into the lake
Run:      1, cycle 2026-11-26T02:00:00Z, attempt 1 of 3, worker worker
Time:     due 2026-11-26 02:00:00 UTC, started 2026-11-26 02:00:01 UTC, ended 2026-11-26 02:14:09 UTC
Error:    StoreError (permanent): no relation "companies"
Skipped:  because of it 2 jobs: gold_companies, silver_companies

Next:
  etl orchestrator run logs 1
  etl orchestrator run show 1
  etl orchestrator run retry 1"""


def url_of(web: Receiver) -> str:
    return f"json://127.0.0.1:{web.port}/hooks"


def mail_url_of(mail: Receiver) -> str:
    return f"mailto://127.0.0.1:{mail.port}?from=etl@example.com&to=ops@example.com&format=text"


def make_due(execute: Execute) -> None:
    execute("UPDATE dw_etl_alerts SET next_attempt_at = clock_timestamp() WHERE status = 'pending'")


def statuses(execute: Execute) -> list[str]:
    return [status for (status,) in execute("SELECT status FROM dw_etl_alerts ORDER BY alert_id")]


def fail_one(database: OrchestratorDatabase, cycle_id: str) -> None:
    ask(database, "a", cycle_id=cycle_id)
    fail(database, claim_one(database))


def failed_with(database: OrchestratorDatabase, claimed: Claim, message: str) -> None:
    failure = Failure(ErrorType.EXCEPTION, "StoreError", message, False)
    assert finish(database, claimed, RunStatus.FAILED, NO_COUNTS, failure)


def test_the_text_says_what_where_why_and_what_to_type(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver, mail: Receiver
) -> None:
    rules({"channel": "web"}, {"channel": "mail"})
    add_job(execute, "bronze_companies", title="Companies into the lake")
    add_job(execute, "silver_companies", parents=["bronze_companies"])
    add_job(execute, "gold_companies", parents=["silver_companies"])
    ask(database, "bronze_companies", "silver_companies", "gold_companies")
    failed_with(database, claim_one(database), 'no relation "companies"')
    times = '{"started_at": "2026-11-26T03:00:01.9+01:00", "ended_at": "2026-11-26T02:14:09+00:00"}'
    execute("UPDATE dw_etl_alerts SET facts = facts || %s::jsonb", (times,))
    web.refusals = mail.refusals = 3

    channels = Channels({"web": url_of(web), "mail": mail_url_of(mail)})
    couriers = [courier(database, channels, name) for name in channels.names]
    delivered = []
    for _ in range(4):
        delivered.append([each.deliver() for each in couriers])
        make_due(execute)

    assert delivered == [[0, 0], [0, 0], [0, 0], [1, 1]]
    subject = "failed: bronze_companies (2026-11-26T02:00:00Z)"
    assert web.taken == mail.taken == [(subject, FAILED_TEXT)]
    assert execute("SELECT status, attempts, last_error FROM dw_etl_alerts") == [("sent", 4, None)] * 2


def test_late_stuck_and_recovered_say_what_they_are(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver
) -> None:
    rules()
    add_job(execute, "waits", late_after_seconds=900)
    add_job(execute, "hangs", stuck_after_seconds=7200, priority=1)
    add_job(execute, "heals", priority=2)
    for cycle_id, end in (("1", fail), ("2", succeed)):
        ask(database, "heals", cycle_id=cycle_id)
        end(database, claim_one(database))
    ask(database, "waits", "hangs")
    claim_one(database)
    execute(
        "UPDATE dw_etl_job_locks SET acquired_at = '2020-01-01 02:00:05+00' WHERE status = 'active';"
        "UPDATE dw_etl_runs SET trigger = 'schedule', scheduled_at = '2020-01-01 02:00:00+00' WHERE status = 'queued'"
    )
    execute("DELETE FROM dw_etl_alerts WHERE kind = 'failure'")
    assert tell_of_overdue(database) == 2
    execute("UPDATE dw_etl_alerts SET facts = facts - 'started_at' - 'ended_at' WHERE kind = 'recovered'")

    assert courier(database, Channels({"ops": url_of(web)}), "ops").deliver() == 3

    texts = dict(web.taken)
    cycle = "2026-11-26T02:00:00Z"
    assert texts["recovered: heals (2)"].splitlines()[1:3] == [
        "Run:      2, cycle 2, attempt 1 of 3, worker worker",
        "Time:     due 2026-11-26 02:00:00 UTC",
    ]
    assert texts[f"late: waits has not started ({cycle})"].splitlines()[-4:] == [
        "",
        "Next:",
        "  etl orchestrator run why-not 3",
        "  etl orchestrator lock list",
    ]
    assert (
        "Late:     more than 15m after it was due: it is ready, and no worker has taken it"
        in (texts[f"late: waits has not started ({cycle})"])
    )
    assert "Stuck:    this attempt goes on for more than 2h" in texts[f"stuck: hangs does not end ({cycle})"]
    assert "started 2020-01-01 02:00:05 UTC" in texts[f"stuck: hangs does not end ({cycle})"]


def test_the_same_again_is_counted_and_told_with_the_next(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver
) -> None:
    rules({"channel": "ops", "on": ["failure"], "dedupe": "10m"})
    add_job(execute, "a")
    messenger = courier(database, Channels({"ops": url_of(web)}), "ops")
    for cycle in range(5):
        fail_one(database, str(cycle))
    # when they were written, in minutes before the last
    for alert_id, minutes in enumerate((25, 20, 16, 11, 0), start=1):
        change = "created_at = clock_timestamp() - %s * interval '1 minute'"
        execute(f"UPDATE dw_etl_alerts SET {change} WHERE alert_id = %s", (minutes, alert_id))

    assert messenger.deliver() == 3

    # the fourth is more than ten minutes after the first, and the last after the fourth
    assert statuses(execute) == ["sent", "suppressed", "suppressed", "sent", "sent"]
    assert [subject for subject, _ in web.taken] == ["failed: a (0)", "failed: a (3)", "failed: a (4)"]
    told = "Before:   2 more of the same since the last such message, not sent"
    assert [told in body for _, body in web.taken] == [False, True, False]


def test_a_recovery_ends_the_time_in_which_the_same_is_not_told(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver
) -> None:
    rules({"channel": "ops", "dedupe": "1d"})
    add_job(execute, "a")
    for cycle, end in enumerate((fail, fail, succeed, fail, fail)):
        ask(database, "a", cycle_id=str(cycle))
        end(database, claim_one(database))
    assert courier(database, Channels({"ops": url_of(web)}), "ops").deliver() == 3
    assert [subject for subject, _ in web.taken] == ["failed: a (0)", "recovered: a (2)", "failed: a (3)"]
    assert statuses(execute) == ["sent", "suppressed", "sent", "sent", "suppressed"]


def test_a_recovery_is_told_after_the_failure_that_a_channel_had_refused(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver
) -> None:
    rules()
    add_job(execute, "a")
    fail_one(database, "1")
    messenger = courier(database, Channels({"ops": url_of(web)}), "ops")
    web.refusals = 1
    assert messenger.deliver() == 0
    execute("UPDATE dw_etl_alerts SET next_attempt_at = clock_timestamp() + interval '1 hour'")
    ask(database, "a", cycle_id="2")
    succeed(database, claim_one(database))
    assert messenger.deliver() == 0
    make_due(execute)
    assert messenger.deliver() == 2
    assert [subject for subject, _ in web.taken] == ["failed: a (1)", "recovered: a (2)"]


def test_other_jobs_and_other_channels_have_times_of_their_own(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver
) -> None:
    rules({"channel": "ops"}, {"channel": "other"})
    add_job(execute, "a")
    add_job(execute, "b")
    ask(database, "a", "b")
    for _ in range(2):
        fail(database, claim_one(database))
    channels = Channels({"ops": url_of(web), "other": url_of(web)})
    assert [courier(database, channels, name).deliver() for name in channels.names] == [2, 2]


def test_a_dead_channel_holds_up_no_other(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver, mail: Receiver
) -> None:
    rules({"channel": "dead"}, {"channel": "live"})
    web.hang = threading.Event()
    add_job(execute, "a")
    channels = Channels({"dead": url_of(web) + "?rto=60", "live": mail_url_of(mail)}, timeout_seconds=60)
    with Couriers(database, channels, words_of(database), interval_seconds=0.05):
        for cycle in range(2):
            fail_one(database, str(cycle))  # a run ends whatever becomes of its alerts
            execute("UPDATE dw_etl_alerts SET dedupe_seconds = 0")
            until(lambda: len(mail.taken) == cycle + 1)  # noqa: B023
        assert web.taken == []
        web.hang.set()
    assert execute("SELECT DISTINCT status FROM dw_etl_runs") == [("failed",)]


def test_what_can_never_be_sent_is_given_up_and_what_may_be_is_not(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver
) -> None:
    rules({"channel": "wrong"}, {"channel": "busy"})
    add_job(execute, "a")
    fail_one(database, "1")
    web.refusals = 1
    channels = Channels({"wrong": "slak://hunter2/hunter2", "busy": url_of(web)})
    with capture_logs() as logs:
        for name in channels.names:
            courier(database, channels, name).deliver()
    found = dict(execute("SELECT channel, status FROM dw_etl_alerts"))
    assert found == {"wrong": "given_up", "busy": "pending"}
    assert {(line["event"], line["channel"], line["log_level"]) for line in logs} == {
        ("alert given up", "wrong", "error"),
        ("alert sent again", "busy", "warning"),
    }
    ((wait,),) = execute("SELECT next_attempt_at - clock_timestamp() FROM dw_etl_alerts WHERE channel = 'busy'")
    assert wait.total_seconds() <= 10
    assert "hunter2" not in f"{logs} {execute('SELECT last_error FROM dw_etl_alerts')}"


def test_secrets_are_masked(database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver) -> None:
    rules()
    add_job(execute, "a")
    ask(database, "a")
    failed_with(
        database, claim_one(database), "postgresql://etl:p4ssw0rd@db/x refused; token=abc, key is correct horse"
    )
    courier(database, Channels({"ops": url_of(web)}), "ops", secrets=("correct horse",)).deliver()
    ((_, body),) = web.taken
    assert "refused" in body
    assert execute("SELECT body FROM dw_etl_alerts") == [(body,)]
    assert [secret for secret in ("p4ssw0rd", "correct horse") if secret in body] == []


def test_nobody_else_gets_what_is_just_being_sent(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver
) -> None:
    """Many schedulers, each alert once, while nothing dies."""
    rules({"channel": "ops", "dedupe": 0})
    add_job(execute, "a")
    for cycle in range(6):
        fail_one(database, str(cycle))
    channels = Channels({"ops": url_of(web)})
    couriers = [courier(database, channels, "ops") for _ in range(4)]
    threads = [threading.Thread(target=courier.deliver) for courier in couriers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(subject for subject, _ in web.taken) == [f"failed: a ({cycle})" for cycle in range(6)]
    assert statuses(execute) == ["sent"] * 6


def test_no_transaction_is_open_while_the_network_is_waited_for(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver
) -> None:
    rules()
    add_job(execute, "a")
    fail_one(database, "1")
    web.hang = threading.Event()
    channels = Channels({"ops": url_of(web) + "?rto=60"}, timeout_seconds=60)
    thread = threading.Thread(target=courier(database, channels, "ops").deliver)
    thread.start()
    until(lambda: web.waiting)
    until(lambda: not _transactions(execute))
    execute("BEGIN; LOCK TABLE dw_etl_alerts IN ACCESS EXCLUSIVE MODE NOWAIT; COMMIT")
    web.hang.set()
    thread.join()
    assert statuses(execute) == ["sent"]


def _transactions(execute: Execute) -> list[Any]:
    return execute(
        "SELECT state FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state IN ('active', 'idle in transaction')"
    )


def test_what_was_sent_and_not_marked_is_sent_again(
    database: OrchestratorDatabase,
    orchestrator_settings: PostgreSQLSettings,
    execute: Execute,
    rules: Rules,
    web: Receiver,
) -> None:
    """A scheduler is killed when the text has arrived and before it was answered."""
    rules()
    add_job(execute, "a")
    fail_one(database, "1")
    web.hang = threading.Event()
    program = textwrap.dedent("""
        import sys
        from etl.alerts.channels import Channels
        from etl.alerts.couriers import Courier
        from etl.config.settings import PostgreSQLSettings
        from etl.orchestrator.alerting.wording import words_of
        from etl.orchestrator.database.database import OrchestratorDatabase
        settings = PostgreSQLSettings(**eval(sys.stdin.readline()))
        channels = Channels({"ops": sys.argv[1]}, timeout_seconds=60)
        database = OrchestratorDatabase(settings)
        Courier(database, channels, "ops", words_of(database)).deliver()
    """)
    plain = orchestrator_settings.model_dump() | {"password": orchestrator_settings.password.get_secret_value()}
    with subprocess.Popen(
        [sys.executable, "-c", program, url_of(web) + "?rto=60"], stdin=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        process.stdin.write(f"{plain}\n")
        process.stdin.flush()
        until(lambda: web.waiting)
        process.send_signal(signal.SIGKILL)
        process.stdin.close()
        assert process.wait() == -signal.SIGKILL
    web.hang.set()
    until(lambda: web.taken)
    assert execute("SELECT status, attempts FROM dw_etl_alerts") == [("pending", 1)]

    messenger = courier(database, Channels({"ops": url_of(web)}), "ops")
    assert messenger.deliver() == 0  # its lease holds
    make_due(execute)
    assert messenger.deliver() == 1
    assert len(web.taken) == 2
    assert web.taken[0] == web.taken[1]
    assert execute("SELECT status, attempts FROM dw_etl_alerts") == [("sent", 2)]


def test_whatever_goes_wrong_the_courier_goes_on(
    database: OrchestratorDatabase, execute: Execute, rules: Rules, web: Receiver
) -> None:
    rules()
    add_job(execute, "a")
    fail_one(database, "1")
    execute("ALTER TABLE dw_etl_alerts RENAME TO dw_etl_alerts_away")
    messenger = courier(database, Channels({"ops": url_of(web)}), "ops")
    try:
        with capture_logs() as logs:
            assert messenger.again()
    finally:
        execute("ALTER TABLE dw_etl_alerts_away RENAME TO dw_etl_alerts")
    assert [line["event"] for line in logs] == ["alerts not looked for"]
    assert messenger.again()
    assert statuses(execute) == ["sent"]
