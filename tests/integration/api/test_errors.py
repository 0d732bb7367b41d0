"""Whatever goes wrong is a problem (RFC 9457) with a code, a status and words; never a page of HTML, never a stack."""

from __future__ import annotations

import socket
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from etl.api.configured import ConfiguredJobs
from etl.api.models import Problem
from etl.api.security.guard import LARGEST_BODY
from etl.config.staging.jobs import StagingConfiguration
from tests.databases import Execute, database_of_its_own
from tests.integration.api.conftest import Page, configuration_of, served
from tests.integration.api.ledger import add_batches, add_run

pytestmark = pytest.mark.stack


def problem_of(answer: httpx2.Response) -> Problem:
    assert answer.headers["content-type"] == "application/problem+json"
    problem = Problem.model_validate_json(answer.content)
    assert problem.status == answer.status_code
    assert problem.detail
    return problem


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/runs/none", 404, "unknown_run"),
        ("/api/runs/none/batches", 404, "unknown_run"),
        ("/api/runs/none/batches/0", 404, "unknown_run"),
        ("/api/runs/r/batches/9", 404, "unknown_batch"),
        ("/api/runs/none/changes", 404, "unknown_run"),
        ("/api/runs/none/events", 404, "unknown_run"),
        ("/api/runs/none/logs", 404, "unknown_run"),
        ("/api/runs/none/metrics", 404, "unknown_run"),
        ("/api/runs/none/rejects", 404, "unknown_run"),
        ("/api/runs/none/invalid", 404, "unknown_run"),
        ("/api/runs/gone/invalid", 404, "table_missing"),
        ("/api/jobs/none", 404, "unknown_job"),
        ("/api/jobs/none/runs", 404, "unknown_job"),
        ("/api/none", 404, "not_found"),
        ("/api", 404, "not_found"),
        ("/api/", 404, "not_found"),
        ("/api/runs/r/", 404, "not_found"),
        ("/api/runs/%00", 422, "invalid"),
        ("/api/runs/-r", 422, "invalid"),
        ("/api/runs/r%0A", 422, "invalid"),
        ("/api/jobs?limit=0", 422, "invalid"),
        ("/api/jobs?limit=many", 422, "invalid"),
        ("/api/runs/r/batches?limit=5001", 422, "invalid"),
        ("/api/runs/r/batches?after=99999999999", 422, "invalid"),
        ("/api/runs/r/batches?status=lost", 422, "invalid"),
        ("/api/runs/r/batches/x", 422, "invalid"),
        ("/api/runs/r/changes?since=x", 422, "invalid"),
        ("/api/runs/r/rejects?format=xlsx", 422, "invalid"),
    ],
)
def test_what_cannot_be_answered(client: httpx2.Client, ledger: Execute, path: str, status: int, code: str) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 1)
    add_run(ledger, "gone", target_table="stg_gone")
    answer = client.get(path)
    assert (answer.status_code, problem_of(answer).code) == (status, code)


def test_what_is_invalid_is_named_by_its_field(client: httpx2.Client) -> None:
    problem = problem_of(client.get("/api/jobs?limit=0&offset=-1"))
    assert problem.fields.keys() == {"limit", "offset"}


def test_texts_that_no_text_of_the_database_can_be(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    for text in ("\0", "\ud800".encode("utf-8", "surrogatepass"), "%' OR true --", "\\"):
        for path, name in (("/api/runs/r/batches", "text"), ("/api/jobs", "query")):
            answer = client.get(path, params={name: text})
            assert answer.status_code in (200, 422), answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("PUT", "/api/health", 405, "method_not_allowed"),
        ("DELETE", "/api/runs/r", 405, "method_not_allowed"),
        ("HEAD", "/api/health", 405, "method_not_allowed"),
        ("HEAD", "/api/none", 404, "not_found"),
        ("POST", "/api/none", 404, "not_found"),
        ("PATCH", "/api", 404, "not_found"),
        ("POST", "/etl/data-loader", 405, "method_not_allowed"),
    ],
)
def test_methods_that_are_none(page: Page, ledger: Execute, method: str, path: str, status: int, code: str) -> None:
    with page.operator() as client:
        answer = client.request(method, path)
    assert answer.status_code == status
    if method != "HEAD":
        assert problem_of(answer).code == code
    assert ("allow" in answer.headers) is (status == 405)


def test_a_path_names_all_its_methods(page: Page) -> None:
    with page.operator() as client:
        assert client.put("/api/jobs/orders/runs").headers["allow"] == "GET, POST"
        assert client.options("/api/session").headers["allow"] == "DELETE, GET, POST"


def test_an_empty_database_says_what_makes_the_ledger(stack: Any, config_dir: Any) -> None:
    with (
        database_of_its_own(stack.settings.postgresql, "page_empty") as empty,
        served(configuration_of(empty, config_dir)) as page,
        page.client() as client,
    ):
        assert client.get("/api/health").status_code == 200
        for path in ("/api/jobs", "/api/runs/r", "/api/runs/r/events", "/api/workers", "/api/runs/r/logs"):
            answer = client.get(path)
            problem = problem_of(answer)
            assert (answer.status_code, problem.code) == (503, "ledger_missing")
            assert problem.next_step is not None
            assert "staging init" in problem.next_step


def test_who_is_not_signed_in_is_not_told_where_the_database_is(
    configuration: StagingConfiguration, config_dir: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    away = configuration_of(configuration.database.model_copy(update={"port": port}), config_dir)
    with served(away) as page, page.client() as client, capture_logs() as lines:
        answer = client.get("/api/health")
        problem = problem_of(answer)
        assert (answer.status_code, problem.code) == (503, "database_unavailable")
        assert str(port) not in answer.text
        assert configuration.database.database not in answer.text
        assert [line for line in lines if str(port) in str(line.get("error"))], "the log has it"
        assert str(port) in problem_of(client.get("/api/workers")).detail, "who is let in is told"


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_that_is_too_large(page: Page, ledger: Execute, is_chunked: bool) -> None:
    add_run(ledger, "r")
    fits, does_not = b" " * (LARGEST_BODY - 2) + b"{}", b" " * LARGEST_BODY + b"{}"
    with page.operator() as client:
        for body, status in ((fits, 409), (does_not, 413)):
            headers = {"Content-Type": "application/json", "Idempotency-Key": "k"}
            content = iter([body[:1000], body[1000:]]) if is_chunked else body
            answer = client.post("/api/runs/r/retry", content=content, headers=headers)
            assert answer.status_code == status, answer.text
        assert problem_of(answer).code == "too_large"


def test_a_fault_of_our_own_is_told_without_its_words(
    page: Page, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: object) -> None:
        raise RuntimeError("the password is hunter2")

    monkeypatch.setattr(ConfiguredJobs, "jobs", property(broken))
    answer = client.get("/api/jobs")
    assert (answer.status_code, problem_of(answer).code) == (500, "internal")
    assert "hunter2" not in answer.text


def test_an_answer_that_comes_too_late_is_a_503(
    page: Page, client: httpx2.Client, ledger: Execute, configuration: StagingConfiguration
) -> None:
    """The ledger's tables are locked for longer than anybody waits before a screen."""
    from tests.databases import statements_of

    with statements_of(configuration.database) as other:
        other("BEGIN")
        other("LOCK TABLE etl_runs IN ACCESS EXCLUSIVE MODE")
        answer = client.get("/api/runs/r")
        other("ROLLBACK")
    assert (answer.status_code, problem_of(answer).code) == (503, "database_unavailable")
    assert int(answer.headers["retry-after"]) > 0
