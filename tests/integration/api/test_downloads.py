"""Files of a run: whole, exact, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from contextlib import ExitStack
from typing import Any

import httpx2
import orjson
import pytest

from etl.api import downloads
from etl.api.models import BatchRow, Role, User
from etl.api.reading import files
from etl.api.security import dependencies
from etl.api.services import DOWNLOADS, DOWNLOADS_OF_ONE_USER
from etl.staging.loader import Summary
from tests.databases import Execute
from tests.integration.api.conftest import Page
from tests.integration.api.ledger import add_batches, add_run, queue_request
from tests.patience import until

pytestmark = pytest.mark.stack


def get(client: httpx2.Client, path: str, media_type: str) -> str:
    answer = client.get(f"/api/runs/{path}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].partition(";")[0] == media_type
    assert answer.headers["content-disposition"].startswith('attachment; filename="')
    assert answer.headers["x-accel-buffering"] == "no"
    return answer.text


def lines(client: httpx2.Client, path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in get(client, path, "application/x-ndjson").splitlines()]


def table(client: httpx2.Client, path: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(get(client, path, "text/csv"))))


def test_the_log_of_a_run_and_of_all_its_batches(client: httpx2.Client, loaded: Summary) -> None:
    entries = lines(client, "orders-1/logs")
    assert [(each["batch_index"], each["event"]) for each in entries] == [
        (None, "run created"),
        (None, "run started"),
        (None, "run finished"),
        *((index, "stored") for index in range(3)),
    ]
    assert all({"at", "level", "event", "attempt", "detail", "batch_index"} == each.keys() for each in entries)


@pytest.mark.parametrize("is_for_operator", [True, False])
def test_addresses_and_output_are_for_operators(
    page: Page, ledger: Execute, monkeypatch: pytest.MonkeyPatch, is_for_operator: bool
) -> None:
    add_run(ledger, "r")
    queue_request(ledger, "r", "load")
    ledger("UPDATE etl_run_requests SET requested_from = '192.0.2.7', output_tail = 'said'")
    role = Role.OPERATOR if is_for_operator else Role.VIEWER
    user = User(name="ada", role=role)
    monkeypatch.setattr(dependencies, "signed_in", lambda _: user)
    with page.client() as client:
        (asked,) = [each for each in lines(client, "r/logs") if each["event"] == "load requested"]
    assert asked["detail"]["requested_by"] == "ada"
    assert ({"requested_from", "output_tail"} <= asked["detail"].keys()) is is_for_operator
    assert ("192.0.2.7" in str(asked)) is is_for_operator


def test_metrics_have_a_line_a_batch(client: httpx2.Client, loaded: Summary) -> None:
    rows = table(client, "orders-1/metrics")
    assert list(rows[0]) == list(BatchRow.model_fields)
    assert [(row["index"], row["status"], row["rows_inserted"]) for row in rows] == [
        ("0", "succeeded", "100"),
        ("1", "succeeded", "100"),
        ("2", "succeeded", "99"),
    ]


def test_rejects(client: httpx2.Client, loaded: Summary) -> None:
    (reject,) = lines(client, "orders-1/rejects")
    assert (reject["ordinal"], reject["batch_index"], reject["record"]) == (299, 2, '{"id":')
    (row,) = table(client, "orders-1/rejects?format=csv")
    assert {key: row[key] for key in ("reason", "message")} == {key: reject[key] for key in ("reason", "message")}
    assert orjson.loads(row["source_position"]) == reject["source_position"]


def test_invalid_records(client: httpx2.Client, loaded: Summary) -> None:
    records = lines(client, "orders-1/invalid")
    assert {each["source_id"] for each in records} == {"o7", "o107", "o207"}
    assert all(each["data"] == {"id": each["source_id"]} for each in records)
    assert all(each["validation_errors"][0]["path"] == "total" for each in records)
    rows = table(client, "orders-1/invalid?format=csv")
    assert {row["source_id"]: orjson.loads(row["data"]) for row in rows} == {
        each["source_id"]: each["data"] for each in records
    }


def test_numbers_keep_their_digits(client: httpx2.Client, loaded: Summary, ledger: Execute) -> None:
    number = "123456789012345678901234567890.10"
    ledger(f"""UPDATE stg_orders SET data = '{{"n": {number}}}' WHERE source_id = 'o7'""")
    assert f'"data":{{"n": {number}}}' in get(client, "orders-1/invalid", "application/x-ndjson")


def test_cells_that_begin_a_formula_are_text(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    formulas = [
        "  =1",
        "\u00a0+1",
        "\ufeff@x",
        "\uff1d1",
        " \uff0b1",
        "\uff0d1",
        "\uff20x",
        "=1+1",
        "+1",
        "-1",
        "@SUM(1)",
        "\tx",
        "\rx",
        "\n=1",
        '=HYPERLINK("x")',
        "plain",
        "a=b",
    ]
    for number, text in enumerate(formulas):
        ledger(
            "INSERT INTO etl_run_rejects (etl_run_id, ordinal, batch_index, source_position, reason, message, record) "
            "VALUES ('r', %s, 0, '{}', 'bad_json', %s, %s)",
            (number, text, text),
        )
    records = [row["record"] for row in table(client, "r/rejects?format=csv")]
    harmless = {"plain", "a=b"}
    assert [text.removeprefix("'").replace("\n'", "\n") for text in records] == formulas
    assert [text.startswith("'") for text in records] == [text not in harmless for text in formulas]
    assert [each["record"] for each in lines(client, "r/rejects")] == formulas, "NDJSON is for programs"


def test_cells_that_begin_where_a_spreadsheet_cuts_at_other_signs(client: httpx2.Client, ledger: Execute) -> None:
    """Where the list separator is a semicolon, quotes within a cell say nothing."""
    add_run(ledger, "r")
    ledger(
        "INSERT INTO etl_run_rejects (etl_run_id, ordinal, batch_index, source_position, reason, message, record) "
        "VALUES ('r', 7, 0, '{}', 'bad_json', 'x;=HYPERLINK(1)', E'a\\n@b\\t +c')"
    )
    text = get(client, "r/rejects?format=csv", "text/csv")
    assert text.splitlines()[1].startswith('7,0,"{}","bad_json",')
    for separator in (",", ";", "\t"):
        for row in csv.reader(io.StringIO(text), delimiter=separator):
            assert not [cell for cell in row if cell.strip()[:1] in ("=", "+", "-", "@")], row
    (row,) = table(client, "r/rejects?format=csv")
    assert (row["message"], row["record"]) == ("x;'=HYPERLINK(1)", "a\n'@b\t' +c")


def test_files_of_many_pages_are_whole(client: httpx2.Client, ledger: Execute, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_PAGE", 10)
    monkeypatch.setattr(files, "_RECORDS", 7)
    add_run(ledger, "r")
    add_batches(ledger, "r", 30)
    ledger(
        "INSERT INTO stg_orders (source_id, data, etl_job_id, etl_run_id, is_valid, validation_errors) "
        "SELECT 'i' || i, '{}', 'orders', 'r', false, '[]' FROM generate_series(1, 100) AS i"
    )
    ledger(
        "INSERT INTO etl_run_rejects (etl_run_id, ordinal, batch_index, source_position, reason, message, record) "
        "SELECT 'r', i, 0, '{}', 'bad_json', '', '' FROM generate_series(0, 24) AS i"
    )
    assert [row["index"] for row in table(client, "r/metrics")] == [str(index) for index in range(30)]
    assert [each["ordinal"] for each in lines(client, "r/rejects")] == list(range(25))
    assert {each["source_id"] for each in lines(client, "r/invalid")} == {f"i{i}" for i in range(1, 101)}


def test_files_without_a_record(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    assert lines(client, "r/rejects") == []
    for path, columns in (("r/rejects?format=csv", files.REJECTS), ("r/metrics", files.METRICS)):
        assert list(csv.reader(io.StringIO(get(client, path, "text/csv")))) == [list(columns)]
    assert lines(client, "r/invalid") == []


@pytest.fixture
def long(ledger: Execute) -> str:
    """30 MB: more than lies between a reader who takes nothing and the page."""
    add_run(ledger, "r")
    ledger(
        "INSERT INTO stg_orders (source_id, data, etl_job_id, etl_run_id, is_valid, validation_errors) "
        """SELECT 'i' || i, jsonb_build_object('text', repeat('x', 100000)), 'orders', 'r', false, '[]' """
        "FROM generate_series(1, 300) AS i"
    )
    return "/api/runs/r/invalid"


def test_one_who_goes_away_leaves_no_transaction(page: Page, long: str) -> None:
    for _ in range(2 * DOWNLOADS):
        with page.client() as client, client.stream("GET", long) as response:
            assert next(response.iter_bytes(1000))
        until(lambda: not page.services.seats.taken)
    with page.client() as client:
        assert len(lines(client, "r/invalid")) == 300


def test_one_user_takes_some_and_all_together_not_more_than_there_are(
    page: Page, long: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(user: str) -> httpx2.Response:
        monkeypatch.setattr(dependencies, "signed_in", lambda _: User(name=user, role=Role.VIEWER))
        return stack.enter_context(stack.enter_context(page.client()).stream("GET", long))

    def refusal(answer: httpx2.Response) -> tuple[int, str, str]:
        return answer.status_code, orjson.loads(answer.read())["code"], answer.headers["retry-after"]

    with ExitStack() as stack:
        for user in ("ada", "bea"):
            assert [ask(user).status_code for _ in range(DOWNLOADS_OF_ONE_USER)] == [200] * DOWNLOADS_OF_ONE_USER
            assert refusal(ask(user)) == (429, "too_many_downloads", "10")
        assert refusal(ask("cid")) == (503, "too_many_downloads", "10")
    until(lambda: not page.services.seats.taken)
    with page.client() as client:
        assert client.get("/api/runs/unknown/logs").status_code == 404
        assert client.get("/api/runs/r/logs").status_code == 200
    assert not page.services.seats.taken


@pytest.mark.parametrize("limit", ["PATIENCE_SECONDS", "LONGEST_SECONDS"])
def test_one_who_takes_nothing_is_given_up(page: Page, long: str, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(downloads, limit, 0.5)
    with page.client() as client, client.stream("GET", long) as response:
        chunks = response.iter_bytes(1000)
        assert next(chunks)
        until(lambda: not page.services.seats.taken)
        with pytest.raises(httpx2.RemoteProtocolError):
            list(chunks)
