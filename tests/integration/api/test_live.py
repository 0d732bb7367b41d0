"""A run's changes as they happen: in their order, none lost, none older than what was told before."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from etl.api.live import burials, hub, outbox, watched
from etl.api.models import Change
from etl.config.staging.jobs import StagingConfiguration
from etl.staging.database.database import StagingDatabase
from tests.databases import Execute, statements_of
from tests.integration.api.conftest import Page, load_orders, served
from tests.integration.api.ledger import add_batches, add_run, end_run, fail_batch, store_batch
from tests.integration.api.streams import Event, next_transaction, watching

pytestmark = pytest.mark.stack


def statuses(store: dict[int, dict[str, Any]]) -> dict[int, str]:
    return {index: batch["status"] for index, batch in sorted(store.items())}


def has_batch(index: int, status: str) -> Any:
    return lambda event: any((b["index"], b["status"]) == (index, status) for b in event.data["batches"])


def is_last(event: Event) -> bool:
    return bool(event.data["is_last"])


def test_it_begins_with_the_run_and_goes_on_with_each_change(page: Page, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 3)
    with watching(page.url, "r") as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["cache-control"] == "no-store"
        assert stream.response.headers["x-accel-buffering"] == "no"
        first = stream.next("change")
        assert Change.model_validate(first.data).batches == []
        assert first.data["run"]["status"] == "loading"
        store_batch(ledger, "r", 1)
        change = stream.until(has_batch(1, "succeeded"))
        assert [each["index"] for each in change.data["batches"]] == [1]
        assert next_transaction(change.id) > next_transaction(first.id)
        ledger("UPDATE etl_runs SET rows_inserted = 100 WHERE id = 'r'")
        change = stream.until(lambda event: event.data["run"]["metrics"]["rows_inserted"] == 100)
        assert change.data["batches"] == []
        assert change.data["run"]["revision"] > first.data["run"]["revision"]
        assert stream.next("ping").data["at"]
        assert stream.comments
        store_batch(ledger, "r", 0)
        fail_batch(ledger, "r", 2)
        end_run(ledger, "r", "partial")
        end = stream.until(is_last)
        assert end.data["run"]["status"] == "partial_success"
        assert statuses(stream.store) == {0: "succeeded", 1: "succeeded", 2: "failed"}
        assert stream.names_to_the_end() == ["end"]


def test_a_run_that_has_ended(page: Page, ledger: Execute) -> None:
    add_run(ledger, "r", status="failed", finished_at="2026-01-02T00:00:00Z")
    with watching(page.url, "r") as stream:
        assert is_last(stream.next("change"))
        assert stream.names_to_the_end() == ["end"]


def test_a_run_that_is_deleted_meanwhile(page: Page, ledger: Execute) -> None:
    add_run(ledger, "r")
    with watching(page.url, "r") as stream:
        stream.next("change")
        ledger("DELETE FROM etl_runs WHERE id = 'r'")
        assert stream.names_to_the_end()[-1] == "end"


def test_cut_and_resumed_by_the_last_id(page: Page, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 6)
    with watching(page.url, "r") as stream:
        stream.next("change")
        store_batch(ledger, "r", 0)
        stream.until(has_batch(0, "succeeded"))
        last_id, before = stream.last_id, stream.store
    store_batch(ledger, "r", 1)
    store_batch(ledger, "r", 2)
    with watching(page.url, "r", last_id) as stream:
        stream.store.update(before)
        first = stream.next("change")
        assert {each["index"] for each in first.data["batches"]} >= {1, 2}
        assert not first.data["is_complete"]
        for index in (3, 4, 5):
            store_batch(ledger, "r", index)
        end_run(ledger, "r")
        stream.until(is_last)
        assert statuses(stream.store) == dict.fromkeys(range(6), "succeeded")
    with watching(f"{page.url}", "r", last_id) as stream:
        assert is_last(stream.next("change"))
        assert stream.names_to_the_end() == ["end"]


def test_an_id_may_stand_in_the_query(page: Page, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 2)
    with httpx2.stream("GET", f"{page.url}/api/runs/r/events?last_event_id=0", timeout=60) as response:
        lines = (line for line in response.iter_lines() if line.startswith("data: ") and '"run"' in line)
        assert len(Change.model_validate_json(next(lines)[6:]).batches) == 2


@pytest.mark.parametrize(
    "foreign", ["0", "7", "9000000000000000000", "abc-1:1:", "{own}-0:0:", "{own}-9:3:", "{own}-3:9:8,7", "{own}-3:9:,"]
)
def test_an_id_of_another_database_brings_everything(
    page: Page, client: httpx2.Client, ledger: Execute, foreign: str
) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 2)
    own, _, _ = client.get("/api/runs/r/changes").json()["id"].partition("-")
    foreign = foreign.format(own=own)
    asked = client.get("/api/runs/r/changes", params={"since": foreign}).json()
    assert (asked["is_complete"], len(asked["batches"])) == (True, 2)
    with watching(page.url, "r", foreign) as stream:
        first = stream.next("change")
        assert first.data["is_complete"]
        assert sorted(stream.store) == [0, 1]
        assert (first.id or "").startswith(f"{own}-")


def test_what_was_restored_from_another_server_is_no_change(
    page: Page, client: httpx2.Client, ledger: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transactions may have higher numbers than this server's next ones."""
    add_run(ledger, "r")
    add_batches(ledger, "r", 3)
    ledger("ALTER TABLE etl_run_batches DISABLE TRIGGER USER")
    ledger("UPDATE etl_run_batches SET changed_xid = '9000000000000000000' WHERE batch_index < 2")
    ledger("ALTER TABLE etl_run_batches ENABLE TRIGGER USER")
    everything = client.get("/api/runs/r/changes").json()
    assert len(everything["batches"]) == 3
    assert client.get("/api/runs/r/changes", params={"since": everything["id"]}).json()["batches"] == []
    with watching(page.url, "r", everything["id"]) as stream:
        assert stream.next("change").data["batches"] == []
        store_batch(ledger, "r", 0)
        change = stream.until(lambda event: bool(event.data["batches"]))
        assert [each["index"] for each in change.data["batches"]] == [0]


def test_a_long_transaction_anywhere_makes_nothing_come_again(
    page: Page, client: httpx2.Client, ledger: Execute, page_settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    real = watched.read_batches

    def counted(*arguments: Any, **named: Any) -> list[tuple[Any, ...]]:
        rows = real(*arguments, **named)
        read.append(len(rows))
        return rows

    monkeypatch.setattr(watched, "read_batches", counted)
    add_run(ledger, "r")
    with statements_of(page_settings) as other, watching(page.url, "r") as stream:
        other("BEGIN")
        other("SELECT pg_current_xact_id()")
        stream.next("change")
        add_batches(ledger, "r", 20)
        stream.until(lambda event: bool(event.data["batches"]))
        known = client.get("/api/runs/r/changes").json()["id"]
        read.clear()
        store_batch(ledger, "r", 7)
        stream.until(has_batch(7, "succeeded"))
        assert max(read) == 1
        asked = client.get("/api/runs/r/changes", params={"since": known}).json()
        assert [each["index"] for each in asked["batches"]] == [7]
        other("COMMIT")


def test_a_transaction_that_was_open_is_told_once_it_commits(page: Page, ledger: Execute, page_settings: Any) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 4)
    with statements_of(page_settings) as other, watching(page.url, "r") as stream:
        other("BEGIN")
        store_batch(other, "r", 0)
        stream.next("change")
        store_batch(ledger, "r", 1)
        stream.until(has_batch(1, "succeeded"))
        store_batch(ledger, "r", 2)
        change = stream.until(has_batch(2, "succeeded"))
        assert [each["index"] for each in change.data["batches"]] == [2], "what was told is not told again"
        other("COMMIT")
        stream.until(has_batch(0, "succeeded"))


def test_large_changes_come_in_parts_and_the_last_has_the_id(
    page: Page, ledger: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BATCHES_OF_AN_EVENT", 10)
    add_run(ledger, "r")
    with watching(page.url, "r") as stream:
        first = stream.next("change")
        add_batches(ledger, "r", 25)
        parts = [stream.until(lambda event: bool(event.data["batches"])) for _ in range(3)]
        assert [len(part.data["batches"]) for part in parts] == [10, 10, 5]
        known, last = next_transaction(first.id), next_transaction(parts[2].id)
        assert [next_transaction(part.id) >= last for part in parts] == [False, False, True]
        assert all(next_transaction(part.id) >= known for part in parts)


def test_many_watch_one_run_by_one_poll(page: Page, ledger: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    real = hub.Watched.read
    monkeypatch.setattr(hub.Watched, "read", lambda self, *rest: (looks.append(self.run_id), real(self, *rest))[1])
    add_run(ledger, "r")
    add_batches(ledger, "r", 1)
    ready = threading.Barrier(9, timeout=60)

    def watch() -> dict[int, str]:
        with watching(page.url, "r") as stream:
            stream.next("change")
            ready.wait()
            stream.until(is_last)
            return statuses(stream.store)

    with ThreadPoolExecutor(8) as pool:
        watchers = [pool.submit(watch) for _ in range(8)]
        ready.wait()
        store_batch(ledger, "r", 0)
        end_run(ledger, "r")
        assert [each.result(60) for each in watchers] == [{0: "succeeded"}] * 8
    assert len(looks) < 8 + 8, "joins are looked at together, or one by one; changes once for all"


def test_two_processes_show_the_same(page: Page, configuration: StagingConfiguration, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 3)
    with served(configuration) as other, watching(page.url, "r") as here, watching(other.url, "r") as there:
        here.next("change")
        there.next("change")
        store_batch(ledger, "r", 0)
        for stream in (here, there):
            stream.until(has_batch(0, "succeeded"))
        store_batch(ledger, "r", 1)
        with watching(other.url, "r", here.last_id) as moved:
            moved.until(has_batch(1, "succeeded"))
        fail_batch(ledger, "r", 2)
        end_run(ledger, "r", "partial")
        ends = [stream.until(is_last) for stream in (here, there)]
        assert ends[0].data["run"] == ends[1].data["run"]
        assert here.store == there.store


def test_no_more_streams_than_there_is_room_for(
    page: Page, client: httpx2.Client, ledger: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_run(ledger, "r")
    with watching(page.url, "r") as stream:
        stream.next("change")
        monkeypatch.setattr(hub, "MAXIMUM_STREAMS", 1)
        answer = client.get("/api/runs/r/events")
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_streams")
        assert int(answer.headers["retry-after"]) > 0


def test_a_real_load_is_watched_to_its_end(
    page: Page, ledger: Execute, staging: StagingDatabase, configuration: StagingConfiguration, tmp_path: Path
) -> None:
    with ThreadPoolExecutor(1) as pool:
        loading = pool.submit(load_orders, staging, configuration, "orders-1", tmp_path)
        await_run(page, "orders-1")
        with watching(page.url, "orders-1", "0") as stream:
            end = stream.until(is_last)
            assert end.data["run"]["metrics"]["rows_inserted"] == 299
            assert statuses(stream.store) == dict.fromkeys(range(3), "succeeded")
            assert stream.names_to_the_end() == ["end"]
        assert loading.result(60).is_success


def test_a_run_whose_process_has_died_ends_without_a_worker(
    configuration: StagingConfiguration, ledger: Execute, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(burials, "INTERVAL_SECONDS", 0.2)
    add_run(ledger, "dead", heartbeat_at="2026-01-01T00:00:00Z", host="gone", process_id=7)
    add_run(ledger, "alive", "returns", heartbeat_at="infinity")
    with served(configuration) as page, watching(page.url, "dead") as stream, page.client() as client:
        run = stream.until(is_last).data["run"]
        assert run["status"] == "failed"
        assert "the process died" in run["failure"]
        assert ledger("SELECT status FROM etl_runs WHERE id = 'alive'") == [("running",)]
        assert not client.get("/api/jobs/orders").json()["live_run_id"]


def await_run(page: Page, run_id: str) -> None:
    end = time.monotonic() + 60
    with page.client() as client:
        while client.get(f"/api/runs/{run_id}").status_code == 404:
            assert time.monotonic() < end
