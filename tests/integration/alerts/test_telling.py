"""What reaches people, by real HTTP and SMTP, from an outbox in a real PostgreSQL: the main job's ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from typer.testing import CliRunner

from etl.alerting.__main__ import app
from etl.alerts import telling
from etl.alerts.findings import Finding, Place, Verdict
from etl.alerts.telling import Teller
from etl.config.alerts import AlertKind, AlertRule, AlertSettings
from etl.config.settings import PostgreSQLSettings
from etl.ledger import Ledger
from tests.conftest import RunningStack
from tests.databases import Execute, database_of_its_own, statements_of
from tests.receivers import Receiver, http_receiver, smtp_receiver

pytestmark = pytest.mark.stack

ORDERS, USERS = Place("orders", "s3"), Place("users", "s3")
NOBODY = "json://127.0.0.1:9/?cto=1"


@pytest.fixture(scope="module")
def settings(stack: RunningStack) -> Iterator[PostgreSQLSettings]:
    with database_of_its_own(stack.settings.ledger, "alerts_test") as settings, closing(Ledger(settings)) as ledger:
        ledger.migrate()
        yield settings


@pytest.fixture
def execute(settings: PostgreSQLSettings) -> Iterator[Execute]:
    with statements_of(settings) as execute:
        execute("TRUNCATE etl.alerts")
        yield execute


@pytest.fixture
def ledger(settings: PostgreSQLSettings, execute: Execute) -> Iterator[Ledger]:
    with closing(Ledger(settings)) as ledger:
        yield ledger


@pytest.fixture
def web() -> Iterator[Receiver]:
    with http_receiver() as receiver:
        yield receiver


@pytest.fixture
def mail() -> Iterator[Receiver]:
    with smtp_receiver() as receiver:
        yield receiver


def url_of(web: Receiver) -> str:
    return f"json://127.0.0.1:{web.port}/hooks"


def teller(urls: dict[str, str], *rules: dict[str, Any]) -> Teller:
    """Where no rule is said, everything goes to every channel."""
    written = rules or tuple({"channel": name} for name in urls)
    channels = {name: SecretStr(url) for name, url in urls.items()}
    return Teller("main", AlertSettings(channels=channels, rules=tuple(AlertRule(**rule) for rule in written)))


def finding(place: Place, kind: AlertKind = AlertKind.FAILURE, found: str = "StoreError: no disk") -> Finding:
    return Finding(kind, place, "the load to be a success", found, "resume it")


def found(*places: Place, kind: AlertKind = AlertKind.FAILURE) -> Verdict:
    return Verdict(found=[finding(place, kind) for place in places])


def fine(*places: Place, kind: AlertKind = AlertKind.FAILURE) -> Verdict:
    return Verdict(fine=[(kind, place) for place in places])


def subjects(receiver: Receiver) -> list[str]:
    return [subject for subject, _ in receiver.taken]


def statuses(execute: Execute) -> list[str]:
    return [status for (status,) in execute("SELECT status FROM etl.alerts ORDER BY alert_id")]


def test_what_a_run_found_of_a_kind_is_one_message_to_each_channel(
    ledger: Ledger, execute: Execute, web: Receiver, mail: Receiver
) -> None:
    verdict = found(ORDERS, USERS)
    verdict.found.append(finding(ORDERS, AlertKind.SLOW, "10 rows/s"))
    to_mail = f"mailto://127.0.0.1:{mail.port}?from=etl@example.com&to=ops@example.com&format=text"
    teller({"web": url_of(web), "mail": to_mail}).tell(ledger.outbox(), verdict, "run-1")
    assert sorted(subjects(web)) == sorted(subjects(mail)) == ["failed: 2 tables", "slow: orders → s3"]
    (body,) = [body for subject, body in mail.taken if subject.startswith("failed")]
    assert body == (
        "Tool:     main job\nRun:      run-1\n\norders → s3\nusers → s3\n"
        "Expected: the load to be a success\nFound:    StoreError: no disk\nNext:     resume it"
    )
    assert statuses(execute) == ["sent"] * 6
    stored = execute("SELECT DISTINCT run_id, table_name, destination, kind FROM etl.alerts ORDER BY 2, 4")
    assert stored == [
        ("run-1", "orders", "s3", "failure"),
        ("run-1", "orders", "s3", "slow"),
        ("run-1", "users", "s3", "failure"),
    ]


def test_a_cause_is_told_once_and_counted_until_it_is_gone(ledger: Ledger, execute: Execute, web: Receiver) -> None:
    tells = teller({"ops": url_of(web)})
    for run_id in ("1", "2", "3"):
        tells.tell(ledger.outbox(), found(ORDERS), run_id)
    assert subjects(web) == ["failed: orders → s3"]
    tells.tell(ledger.outbox(), found(ORDERS, USERS), "4")  # users' is another cause
    assert subjects(web)[1:] == ["failed: users → s3"]
    tells.tell(ledger.outbox(), fine(ORDERS, USERS), "5")
    tells.tell(ledger.outbox(), fine(ORDERS, USERS), "6")
    assert subjects(web)[2:] == ["recovered: 2 tables"]
    assert "Was:      failed (run 1)" in web.taken[-1][1]
    tells.tell(ledger.outbox(), found(ORDERS), "7")  # again, although within `dedupe`
    assert subjects(web)[3:] == ["failed: orders → s3"]
    assert statuses(execute) == ["sent", *["suppressed"] * 3, "sent", "sent", "sent", "sent"]


def test_after_the_window_it_is_told_again_with_how_often_it_was_not(
    ledger: Ledger, execute: Execute, web: Receiver
) -> None:
    tells = teller({"ops": url_of(web)}, {"channel": "ops", "dedupe": "1h"})
    for run_id in ("1", "2", "3"):
        tells.tell(ledger.outbox(), found(ORDERS), run_id)
    execute("UPDATE etl.alerts SET created_at = created_at - interval '61 minutes'")
    tells.tell(ledger.outbox(), found(ORDERS), "4")
    assert len(web.taken) == 2
    assert web.taken[1][1].endswith("Before:   2 more of the same since the last such message, not sent")


def test_what_was_never_told_does_not_recover(ledger: Ledger, execute: Execute, web: Receiver) -> None:
    tells = teller({"ops": url_of(web)}, {"channel": "ops", "on": ["slow", "recovered"]})
    tells.tell(ledger.outbox(), found(ORDERS), "1")
    tells.tell(ledger.outbox(), fine(ORDERS), "2")
    assert execute("SELECT count(*) FROM etl.alerts") == [(0,)]
    assert web.tries == 0


def test_another_kind_of_the_same_load_has_not_recovered(ledger: Ledger, web: Receiver) -> None:
    tells = teller({"ops": url_of(web)})
    tells.tell(ledger.outbox(), found(ORDERS, kind=AlertKind.REJECTS), "1")
    tells.tell(ledger.outbox(), fine(ORDERS), "2")
    assert subjects(web) == ["many rows rejected: orders → s3"]


def test_rules_choose_by_table_destination_and_tool(ledger: Ledger, execute: Execute, web: Receiver) -> None:
    tells = teller(
        {"ops": url_of(web)},
        {"channel": "ops", "tables": ["ord*"], "destinations": ["s3"]},
        {"channel": "ops", "tools": ["staging"]},
    )
    tells.tell(ledger.outbox(), found(ORDERS, USERS, Place("orders", "postgresql")), "1")
    assert execute("SELECT table_name, destination FROM etl.alerts") == [("orders", "s3")]
    assert subjects(web) == ["failed: orders → s3"]


def test_a_dead_channel_holds_up_no_other_and_is_tried_by_the_next_run(
    ledger: Ledger, execute: Execute, web: Receiver, mail: Receiver
) -> None:
    web.refusals = 1
    urls = {
        "ops": url_of(web),
        "dead": NOBODY,
        "mail": f"mailto://127.0.0.1:{mail.port}?from=etl@example.com&to=ops@example.com",
    }
    tells = teller(urls)
    with capture_logs() as logs:
        tells.tell(ledger.outbox(), found(ORDERS), "1")
    assert subjects(mail) == ["failed: orders → s3"]
    assert sorted(line["channel"] for line in logs if line["event"] == "alert sent again") == ["dead", "ops"]
    execute("UPDATE etl.alerts SET next_attempt_at = clock_timestamp() WHERE status = 'pending'")
    tells.tell(ledger.outbox(), Verdict(), "2")  # a run that found nothing
    assert subjects(web) == ["failed: orders → s3"]
    assert "run-1" not in web.taken[0][1] and "Run:      1" in web.taken[0][1]
    assert execute("SELECT channel FROM etl.alerts WHERE status <> 'sent'") == [("dead",)]


def test_a_channel_that_hangs_holds_up_nobody_for_longer_than_the_patience(
    ledger: Ledger, execute: Execute, web: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "PATIENCE_SECONDS", 0.5)
    web.hang = threading.Event()
    began = time.monotonic()
    try:
        teller({"ops": url_of(web)}).tell(ledger.outbox(), found(ORDERS), "1")
        assert time.monotonic() - began < 10  # apprise itself would wait for 20 s
    finally:
        web.hang.set()
    assert statuses(execute)[0] in ("pending", "sent")  # claimed: it was on its way


def test_without_an_outbox_each_channel_is_told_at_once(web: Receiver) -> None:
    tells = teller({"ops": url_of(web), "dead": NOBODY}, {"channel": "ops"}, {"channel": "dead"})
    with capture_logs() as logs:
        tells.tell_at_once([finding(Place(), found="the ledger is away")])
    assert subjects(web) == ["failed: the run"]
    assert "Found:    the ledger is away" in web.taken[0][1]
    assert [line["channel"] for line in logs if line["event"] == "alert not sent"] == ["dead"]


def test_what_an_outbox_does_not_take_is_told_at_once(settings: PostgreSQLSettings, web: Receiver) -> None:
    gone = settings.model_copy(update={"port": 9})
    with closing(Ledger(gone)) as ledger, capture_logs() as logs:
        teller({"ops": url_of(web)}).tell(ledger.outbox(), found(ORDERS, USERS), "1")
    assert [line["event"] for line in logs] == ["alerts not written down"]
    assert subjects(web) == ["failed: 2 tables"]


def test_no_secret_is_written_down(ledger: Ledger, execute: Execute, web: Receiver) -> None:
    channels = {"ops": SecretStr(f"json://etl:correcthorse@127.0.0.1:{web.port}/")}
    alerts = AlertSettings(channels=channels, rules=(AlertRule(channel="ops"),))
    verdict = Verdict(found=[finding(ORDERS, found="password=battery of correcthorse, staple")])
    Teller("main", alerts, ("staple",)).tell(ledger.outbox(), verdict, "1")
    told = str(execute("SELECT facts::text, subject, body FROM etl.alerts")) + str(web.taken)
    assert not any(secret in told for secret in ("correcthorse", "battery", "staple"))


def test_a_ledger_alone_is_enough_for_the_command(
    settings: PostgreSQLSettings, execute: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever loads into the lake alone has no PostgreSQL to load into, and no staging tables."""
    for name in ("ETL_POSTGRES_URL", "ETL_STAGING_POSTGRES_URL"):
        monkeypatch.delenv(name, raising=False)
    password = quote(settings.password.get_secret_value(), safe="")
    server = f"{settings.user}:{password}@{settings.host}:{settings.port}/{settings.database}"
    monkeypatch.setenv("ETL_LEDGER_POSTGRES_URL", f"postgresql://{server}")
    done = CliRunner().invoke(app, ["list"])
    assert (done.exit_code, done.stdout) == (0, "no alerts\n")
