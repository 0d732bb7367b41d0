"""Large JSON is packed for whoever takes it; streams, downloads and answers with a secret never are."""

from __future__ import annotations

import gzip

import httpx2
import orjson
import pytest

from etl.staging.loader import Summary
from tests.databases import Execute
from tests.integration.api.ledger import add_batches, add_run

pytestmark = pytest.mark.stack

TAKES = {"Accept-Encoding": "gzip"}
TAKES_NOT = {"Accept-Encoding": "identity"}


def raw(client: httpx2.Client, path: str, headers: dict[str, str]) -> tuple[httpx2.Response, bytes]:
    with client.stream("GET", path, headers=headers) as answer:
        return answer, b"".join(answer.iter_raw())


def test_a_page_of_batches(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 500)
    packed, packed_body = raw(client, "/api/runs/r/batches", TAKES)
    plain, plain_body = raw(client, "/api/runs/r/batches", TAKES_NOT)
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert [each.headers["vary"] for each in (packed, plain)] == ["Accept-Encoding"] * 2
    assert len(packed_body) * 10 < len(plain_body)
    assert len(orjson.loads(gzip.decompress(packed_body))["batches"]) == 500
    assert gzip.decompress(packed_body) == plain_body


@pytest.mark.parametrize("path", ["/api/session", "/api/runs/orders-1/batches/0", "/api/runs/orders-1/logs"])
def test_what_is_not_packed(client: httpx2.Client, loaded: Summary, path: str) -> None:
    answer, _ = raw(client, path, TAKES)
    assert answer.status_code == 200
    assert "content-encoding" not in answer.headers


def test_downloads_are_not_however_long(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    add_batches(ledger, "r", 500)
    for path in ("/api/runs/r/metrics", "/api/runs/r/logs"):
        answer, _ = raw(client, path, TAKES)
        assert "content-encoding" not in answer.headers


def test_streams_arrive_event_by_event(client: httpx2.Client, ledger: Execute) -> None:
    add_run(ledger, "r")
    with client.stream("GET", "/api/runs/r/events", headers=TAKES) as answer:
        assert "content-encoding" not in answer.headers
        assert b"event: ping" in next(part for part in answer.iter_raw() if b"event" in part)
