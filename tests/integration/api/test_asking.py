"""Start, retry and cancel: once for each key, and what is refused says why."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from etl.api.models import Problem, Run
from tests.databases import Execute
from tests.integration.api.conftest import Page
from tests.integration.api.ledger import add_batches, add_run, end_run, fail_batch, store_batch
from tests.integration.api.streams import watching

pytestmark = pytest.mark.stack


@pytest.fixture
def operator(page: Page, ledger: Execute) -> Iterator[httpx2.Client]:
    with page.operator() as client:
        yield client


def post(client: httpx2.Client, path: str, key: str, body: Any = None) -> httpx2.Response:
    return client.post(f"/api{path}", json=body, headers={"Idempotency-Key": key})


def asked(client: httpx2.Client, path: str, key: str, body: Any = None) -> Run:
    answer = post(client, path, key, body)
    assert answer.status_code == 202, answer.text
    return Run.model_validate_json(answer.content)


def refused(client: httpx2.Client, path: str, key: str, body: Any = None) -> tuple[int, str]:
    answer = post(client, path, key, body)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    return answer.status_code, problem.code


def left_over(ledger: Execute, *, is_permanent: bool = False) -> None:
    """A run with a batch that is stored and two that are not."""
    add_run(ledger, "r")
    add_batches(ledger, "r", 3)
    store_batch(ledger, "r", 0)
    fail_batch(ledger, "r", 1, is_permanent=is_permanent)
    fail_batch(ledger, "r", 2, is_permanent=is_permanent)
    end_run(ledger, "r", "partial")


def test_a_run_is_queued_and_says_who_asked(operator: httpx2.Client, ledger: Execute) -> None:
    run = asked(operator, "/jobs/orders/runs", "k1", {"etl_run_id": "new-1", "batch_size": 500})
    assert (run.status, run.batch_size, run.etl_job_id) == ("queued", 500, "orders")
    assert run.queueing is not None
    ((action, by, origin, parameters),) = ledger(
        "SELECT action, requested_by, requested_from, parameters FROM etl_run_requests"
    )
    assert (action, by, origin) == ("load", run.requested_by, "127.0.0.1")
    assert parameters == {"batch_size": 500, "force": False}


def test_without_a_size_the_job_s_own(operator: httpx2.Client) -> None:
    assert asked(operator, "/jobs/orders/runs", "k1", {"etl_run_id": "new-1"}).batch_size == 100


def test_asked_twice_it_is_done_once(operator: httpx2.Client, ledger: Execute) -> None:
    body = {"etl_run_id": "new-1"}
    with ThreadPoolExecutor(4) as pool:
        runs = list(pool.map(lambda _: asked(operator, "/jobs/orders/runs", "k1", body), range(4)))
    assert {run.etl_run_id for run in runs} == {"new-1"}
    assert ledger("SELECT count(*) FROM etl_runs") == [(1,)]
    assert refused(operator, "/jobs/orders/runs", "k1", {"etl_run_id": "new-2"}) == (409, "idempotency_key_reused")


def test_what_a_start_is_refused_for(operator: httpx2.Client, ledger: Execute) -> None:
    path = "/jobs/orders/runs"
    asked(operator, path, "k1", {"etl_run_id": "new-1"})
    assert refused(operator, path, "k2", {"etl_run_id": "new-1"}) == (409, "run_id_taken")
    assert refused(operator, path, "k3", {"etl_run_id": "new-3"}) == (409, "job_is_running")
    assert asked(operator, path, "k4", {"etl_run_id": "new-4", "force": True}).status == "queued"
    assert refused(operator, "/jobs/none/runs", "k5", {"etl_run_id": "new-5"}) == (404, "unknown_job")
    assert refused(operator, "/jobs/piped/runs", "k6", {"etl_run_id": "new-6"}) == (409, "cannot_be_started")
    assert refused(operator, "/jobs/none/runs", "k5", {"etl_run_id": "new-5"}) == (404, "unknown_job")
    kept = "SELECT etl_run_id, etl_job_id, refusal_code FROM etl_run_requests WHERE status = 'refused' ORDER BY id"
    assert ledger(kept) == [
        ("new-1", "orders", "run_id_taken"),
        ("new-3", "orders", "job_is_running"),
        ("new-5", "none", "unknown_job"),
        ("new-6", "piped", "cannot_be_started"),
    ]
    for body in (
        {}, {"etl_run_id": ""}, {"etl_run_id": "a b"}, {"etl_run_id": "n" * 129}, {"etl_run_id": "n", "batch_size": 99},
        {"etl_run_id": "n", "batch_size": 10_001}, {"etl_run_id": "n", "more": 1}, [], "text", None,
    ):  # fmt: skip
        assert refused(operator, path, "k7", body) == (422, "invalid")
    assert ledger("SELECT count(*) FROM etl_runs") == [(2,)]
    assert len(ledger(kept)) == 4, "what is not even asked for in the right words is not kept"


@pytest.mark.parametrize("key", [None, "", "a b", "k" * 201, "\x7f"])
def test_a_wish_needs_a_key(operator: httpx2.Client, key: str | None) -> None:
    headers = {} if key is None else {"Idempotency-Key": key}
    answer = operator.post("/api/jobs/orders/runs", json={"etl_run_id": "new-1"}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert answer.json()["fields"].keys() == {"Idempotency-Key"}


def test_a_body_that_is_no_json(operator: httpx2.Client) -> None:
    for content in (b"{", b"\xff", b"[" * 10_000):
        headers = {"Idempotency-Key": "k", "Content-Type": "application/json"}
        answer = operator.post("/api/jobs/orders/runs", content=content, headers=headers)
        assert (answer.status_code in (400, 422), answer.json()["code"]) == (True, "invalid")


def test_a_retry_is_queued_and_shown_to_who_watches(page: Page, operator: httpx2.Client, ledger: Execute) -> None:
    left_over(ledger)
    run = asked(operator, "/runs/r/retry", "k1", {"batch_indexes": [2, 1, 2]})
    assert (run.status, run.is_ended, run.may_cancel) == ("queued", False, True)
    ((parameters,),) = ledger("SELECT parameters FROM etl_run_requests")
    assert parameters == {"batch_indexes": [1, 2], "includes_permanent": False}
    with watching(page.url, "r") as stream:
        assert stream.next("change").data["run"]["status"] == "queued"
        canceled = asked(operator, "/runs/r/cancel", "k2")
        assert canceled.is_ended
        last = stream.until(lambda event: bool(event.data["is_last"]))
        assert last.data["run"]["status"] == canceled.status
        assert last.data["run"]["revision"] >= run.revision
    withdrawn = canceled.last_request
    assert withdrawn is not None
    assert (withdrawn.action, withdrawn.status) == ("retry", "withdrawn")
    assert withdrawn.refusal == f"cancelled by {withdrawn.requested_by} before it began"


def test_a_retry_that_its_worker_refused_says_so(page: Page, operator: httpx2.Client, ledger: Execute) -> None:
    left_over(ledger)
    asked(operator, "/runs/r/retry", "k1", {})
    with watching(page.url, "r") as stream:
        first = stream.next("change").data["run"]["last_request"]
        assert (first["action"], first["status"], first["refusal"]) == ("retry", "queued", None)
        ledger(
            "UPDATE etl_run_requests SET status = 'refused', finished_at = clock_timestamp(), exit_code = 2, "
            "refusal = 'expected the job in the configuration, found none'"
        )
        told = stream.until(lambda event: bool(event.data["is_last"])).data["run"]
    assert told["status"] == "partial_success"
    assert (
        told["last_request"].items()
        >= {
            "id": first["id"],
            "status": "refused",
            "refusal": "expected the job in the configuration, found none",
        }.items()
    )
    # what is refused as it is asked for is answered there and then, and hides nothing
    assert refused(operator, "/runs/r/retry", "k2", {"batch_indexes": [0]}) == (409, "nothing_to_retry")
    run = Run.model_validate_json(operator.get("/api/runs/r").content)
    assert run.last_request is not None
    assert run.last_request.id == first["id"]


def test_what_a_retry_is_refused_for(operator: httpx2.Client, ledger: Execute) -> None:
    left_over(ledger, is_permanent=True)
    assert refused(operator, "/runs/none/retry", "k1", {}) == (404, "unknown_run")
    assert refused(operator, "/runs/r/retry", "k2", {}) == (409, "nothing_to_retry")
    assert refused(operator, "/runs/r/retry", "k3", {"batch_indexes": [0]}) == (409, "nothing_to_retry")
    for body in ({"batch_indexes": []}, {"batch_indexes": [-1]}, {"batch_indexes": [2**31]}, {"batch_indexes": "all"}):
        assert refused(operator, "/runs/r/retry", "k4", body) == (422, "invalid")
    assert asked(operator, "/runs/r/retry", "k5", {"includes_permanent": True}).status == "queued"
    assert refused(operator, "/runs/r/retry", "k6", {"includes_permanent": True}) == (409, "run_is_running")


def test_a_queued_run_is_cancelled_at_once(operator: httpx2.Client, ledger: Execute) -> None:
    asked(operator, "/jobs/orders/runs", "k1", {"etl_run_id": "new-1"})
    run = asked(operator, "/runs/new-1/cancel", "k2")
    assert (run.status, run.is_ended, run.may_cancel) == ("canceled", True, False)
    assert run.canceled_by
    assert asked(operator, "/runs/new-1/cancel", "k2").revision == run.revision, "it was done once"
    assert refused(operator, "/runs/new-1/cancel", "k3") == (409, "run_has_ended")
    assert refused(operator, "/runs/none/cancel", "k4") == (404, "unknown_run")


def test_a_run_under_way_is_told_to_end(operator: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r", host="here", process_id=1)
    run = asked(operator, "/runs/r/cancel", "k1")
    assert (run.status, run.is_ended, run.may_cancel) == ("loading", False, False)
    assert run.canceled_at is not None


def test_without_the_page_s_token_nothing_is_asked(page: Page, ledger: Execute) -> None:
    with page.client() as client:
        assert refused(client, "/jobs/orders/runs", "k1", {"etl_run_id": "new-1"}) == (403, "forged_request")
    assert ledger("SELECT count(*) FROM etl_run_requests") == [(0,)]
