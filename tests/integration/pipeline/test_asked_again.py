"""Runs that are asked for again by their idempotency key, as a scheduler's second try does."""

from __future__ import annotations

import pytest

from etl.ledger import NewRun
from etl.model import Destination
from tests.integration.pipeline.conftest import Shop, status_of

pytestmark = pytest.mark.stack

ONE = "CREATE TABLE one (id int PRIMARY KEY, name text); INSERT INTO one VALUES (1, 'a'), (2, 'b')"


def test_a_run_that_is_asked_for_again_by_its_key_does_what_is_left(shop: Shop) -> None:
    shop.source(f"{ONE}; CREATE TABLE two (id int PRIMARY KEY); INSERT INTO two VALUES (1)")
    shop.tables("tables: {one: {}, two: {}}")
    night = ("--idempotency-key", "night")
    shop.target("CREATE VIEW two AS SELECT 1 AS id")
    exit_code, failed = shop.run(*night, destinations="postgresql")
    expected = {("one", "postgresql"): "success", ("two", "postgresql"): "failed"}
    assert (exit_code, status_of(failed)) == (1, expected)

    shop.target("DROP VIEW two")
    shop.source("INSERT INTO one VALUES (3, 'c')")
    exit_code, resumed = shop.run(*night, destinations="postgresql")
    assert (exit_code, status_of(resumed)) == (0, {("two", "postgresql"): "success"})
    assert shop.target("SELECT count(*) FROM one") == [(2,)], "what came later is another run's"

    assert shop.run(*night, destinations="postgresql") == (0, resumed), "nothing begins, and the answer is the same"
    assert [run.run_id for run in shop.ledger.runs()] == [resumed["run_id"], failed["run_id"]]
    assert shop.run("--since", "2026-01-01", *night, destinations="postgresql") == (2, {})


def test_a_key_waits_for_its_run_that_is_alive_and_goes_on_after_one_that_died(shop: Shop) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}}")
    shop.ledger.migrate()
    night = NewRun((Destination.POSTGRESQL,), ("one",), idempotency_key="night")
    first = shop.ledger.start_run(night)
    assert shop.run("--idempotency-key", "night", destinations="postgresql") == (75, {})

    shop.target("UPDATE etl.runs SET heartbeat_at = heartbeat_at - interval '1 day'")
    exit_code, report = shop.run("--idempotency-key", "night", destinations="postgresql")
    assert (exit_code, status_of(report)) == (0, {("one", "postgresql"): "success"})
    latest = shop.ledger.run_of_key("night")
    assert latest is not None and (latest.run_id, latest.resumed_from) == (report["run_id"], first.run_id)


def test_a_run_that_was_resumed_by_hand_is_known_by_its_key(shop: Shop) -> None:
    shop.source(ONE)
    shop.tables("tables: {one: {}, two: {}}")
    failed = shop.run("--idempotency-key", "night", destinations="postgresql")[1]
    shop.source("CREATE TABLE two (id int PRIMARY KEY)")
    by_hand = shop.run("--resume", failed["run_id"])[1]
    assert by_hand["status"] == "success"
    assert shop.run("--idempotency-key", "night", destinations="postgresql") == (0, by_hand)
