"""Whom a run tells of what: the job as it is, with a channel that is a real receiver."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from etl.alerting.__main__ import app
from etl.command.typed import etl_as_typed
from tests.integration.pipeline.conftest import RUN, Shop
from tests.receivers import Receiver, http_receiver

pytestmark = pytest.mark.stack

ALERTS = """\
alerts:
  channels: {ops: "${OPS_URL}"}
  rules: [{channel: ops}]
"""


@pytest.fixture
def web(shop: Shop) -> Iterator[Receiver]:
    shop.tables("tables: {one: {}}\n")
    with http_receiver() as receiver:
        shop.environ["OPS_URL"] = f"json://127.0.0.1:{receiver.port}/"
        alerting(shop)
        yield receiver


def alerting(shop: Shop, more: str = "") -> None:
    (shop.folder / "etl.yaml").write_text(RUN + ALERTS + more)


def test_a_load_that_fails_is_told_once_and_so_is_its_recovery(shop: Shop, web: Receiver) -> None:
    shop.source("CREATE TABLE one (id int PRIMARY KEY, age int); INSERT INTO one VALUES (1, 10), (2, 20)")
    shop.source("CREATE TABLE two (id int PRIMARY KEY); INSERT INTO two VALUES (1)")
    shop.tables("tables:\n  one: {transform: {rules: {adult: age >= 18}}, maximum_rejected: 10%}\n  two: {}\n")
    exit_code, report = shop.run()
    assert (exit_code, report["status"]) == (1, "partial")
    ((subject, body),) = web.taken
    assert subject == "many rows rejected: 2 loads of 1 table"
    assert f"Run:      {report['run_id']}" in body
    assert "\none → postgresql, s3\nExpected: the load to be a success\nFound:    RejectedRowsError:" in body
    assert f"Next:     {etl_as_typed()} rejects list --run {report['run_id']} --config-dir {shop.folder}" in body

    assert shop.run()[0] == 1
    assert len(web.taken) == 1
    shop.source("UPDATE one SET age = 40")
    assert shop.run()[0] == 0
    assert [subject for subject, _ in web.taken[1:]] == ["recovered: 2 loads of 1 table"]
    told = shop.target("SELECT kind, table_name, destination, status FROM etl.alerts ORDER BY alert_id")
    assert told == [
        (kind, "one", store, status)
        for kind, status in (("rejects", "sent"), ("rejects", "suppressed"), ("recovered", "sent"))
        for store in ("postgresql", "s3")
    ]


def test_many_rejects_are_told_although_the_load_is_a_success(shop: Shop, web: Receiver) -> None:
    shop.source("CREATE TABLE one (id int PRIMARY KEY, age int)")
    shop.source("INSERT INTO one SELECT i, 10 + i FROM generate_series(1, 40) i")
    shop.tables("tables: {one: {transform: {rules: {adult: age >= 18}}}}\n")
    assert shop.run(destinations="postgresql")[0] == 0
    ((subject, body),) = web.taken
    assert subject == "many rows rejected: one → postgresql"
    assert "at most 5% of the 40 rows read to be rejected (alerts: rejects_above)" in body


def test_a_run_that_finds_no_server_is_told_at_once(shop: Shop, web: Receiver) -> None:
    shop.source("CREATE TABLE one (id int PRIMARY KEY)")
    ledger = shop.environ["ETL_POSTGRES_URL"]
    shop.environ["ETL_POSTGRES_URL"] = ledger.rsplit("/", 1)[0] + "/not_there"
    try:
        assert shop.run(destinations="postgresql")[0] == 1
    finally:
        shop.environ["ETL_POSTGRES_URL"] = ledger
    ((subject, body),) = web.taken
    assert subject == "failed: the run"
    assert 'database "not_there" does not exist' in body
    assert "password" not in body.lower().replace("check the user, password", "")
    assert shop.run("--dry-run")[0] == 0
    assert len(web.taken) == 1  # a rehearsal tells nobody


def test_a_run_that_died_is_told_by_the_next_one(shop: Shop, web: Receiver) -> None:
    shop.source("CREATE TABLE one (id int PRIMARY KEY)")
    assert shop.run(destinations="postgresql")[0] == 0
    shop.target(
        "INSERT INTO etl.runs (run_id, destinations, tables, heartbeat_at)"
        " VALUES ('dead', '{postgresql}', '{one}', now() - interval '1 hour')"
    )
    assert shop.run(destinations="postgresql")[0] == 0
    ((subject, body),) = web.taken
    assert subject == "failed: the run"
    assert "nothing was heard of run dead any more" in body
    assert "Next:     ./spark-submit.sh jobs/run_etl.py --resume dead" in body
    assert shop.run(destinations="postgresql")[0] == 0
    assert [subject for subject, _ in web.taken[1:]] == ["recovered: the run"]


def test_a_load_much_slower_than_the_last_ones_is_told(shop: Shop, web: Receiver) -> None:
    shop.source("CREATE TABLE one (id int PRIMARY KEY)")
    shop.source("INSERT INTO one SELECT generate_series(1, 20000)")
    shop.run(destinations="postgresql")
    # as if the last ones had been this fast, and this one took six seconds
    slow = "UPDATE etl.loads SET seconds = 6 RETURNING run_id"
    ((run_id,),) = shop.target(slow)
    for number in range(3):
        shop.target(
            "INSERT INTO etl.runs (run_id, status, destinations, tables, started_at, finished_at) VALUES"
            f" ('r{number}', 'success', '{{postgresql}}', '{{one}}', now() - interval '1 day', now())"
        )
        shop.target(
            "INSERT INTO etl.loads (run_id, table_name, destination, status, target, mode, rows_read, rows_inserted,"
            f" seconds, started_at, finished_at) SELECT 'r{number}', table_name, destination, status, target, mode,"
            " rows_read, rows_inserted, 1, started_at - interval '1 day', finished_at - interval '1 day'"
            f" FROM etl.loads WHERE run_id = '{run_id}'"
        )
    assert shop.ledger.load_paces(run_id) == {("one", "postgresql"): 20000.0}


def test_what_was_not_loaded_for_too_long_is_told_by_a_check(
    shop: Shop, web: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.source("CREATE TABLE one (id int PRIMARY KEY); INSERT INTO one VALUES (1)")
    assert shop.run(destinations="postgresql")[0] == 0
    alerting(shop, "  limits: {not_loaded_for: 26h}\n  tables: {two: {not_loaded_for: 1h}}\n")
    for name, value in shop.environ.items():
        monkeypatch.setenv(name, value)

    def check() -> tuple[int, str]:
        done = CliRunner().invoke(app, ["check", "--config-dir", str(shop.folder)])
        return done.exit_code, done.stdout

    assert check() == (0, "nothing is overdue\n")
    shop.target("UPDATE etl.loads SET finished_at = finished_at - interval '27 hours'")
    exit_code, shown = check()
    assert exit_code == 1
    assert "not_loaded: one → postgresql" in shown
    ((subject, body),) = web.taken
    assert subject == "not loaded: one → postgresql"
    assert "Expected: a load that is a success in the last 26h (alerts: not_loaded_for)" in body
    assert f"--tables one --load-destinations postgresql --config-dir {shop.folder}" in body
    assert check()[0] == 1
    assert len(web.taken) == 1
    assert shop.run(destinations="postgresql")[0] == 0
    assert [subject for subject, _ in web.taken[1:]] == ["recovered: one → postgresql"]
