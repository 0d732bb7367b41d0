"""What goes packed is told by type and size; what holds a secret never does, however large."""

from __future__ import annotations

import pytest
from fastapi import FastAPI, Response
from fastapi.testclient import TestClient

from etl.api.packing import SMALLEST_BYTES, PackedJson


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()

    @app.get("/{path:path}")
    def answer(path: str, size: int, media_type: str = "application/json") -> Response:
        return Response(b"x" * size, media_type=media_type)

    app.add_middleware(PackedJson)
    return TestClient(app, headers={"Accept-Encoding": "gzip"})


def is_packed(client: TestClient, path: str, size: int, media_type: str = "application/json") -> bool:
    answer = client.get(path, params={"size": size, "media_type": media_type})
    assert len(answer.content) == size
    return answer.headers.get("content-encoding") == "gzip"


def test_large_json_is_packed(client: TestClient) -> None:
    assert is_packed(client, "/api/jobs", SMALLEST_BYTES)
    assert is_packed(client, "/api/jobs", SMALLEST_BYTES, "application/problem+json")
    assert not is_packed(client, "/api/jobs", SMALLEST_BYTES - 1)


@pytest.mark.parametrize("path", ["/api/session", "/api/session/sso/start"])
def test_answers_with_the_token_never_are(client: TestClient, path: str) -> None:
    assert not is_packed(client, path, 10 * SMALLEST_BYTES)


@pytest.mark.parametrize("media_type", ["text/event-stream", "application/x-ndjson", "text/csv", "text/html"])
def test_streams_downloads_and_pages_never_are(client: TestClient, media_type: str) -> None:
    assert not is_packed(client, "/api/runs/r/events", 10 * SMALLEST_BYTES, media_type)
