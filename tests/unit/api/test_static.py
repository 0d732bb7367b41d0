"""The built page: what is kept for ever, what never, and what is no file at all."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from etl.api import problems, static


@pytest.fixture
def built(tmp_path: Path) -> Path:
    page = tmp_path / "page"
    (page / "assets").mkdir(parents=True)
    (page / "index.html").write_text("<!doctype html>page")
    (page / "favicon.svg").write_text("<svg/>")
    (page / "assets" / "main-3f2a.js").write_text("main()")
    (page / "assets" / "main-3f2a.js.gz").write_bytes(gzip.compress(b"main()"))
    (page / "assets" / "main-3f2a.js.br").write_bytes(b"as brotli has it")
    (tmp_path / "secret.txt").write_text("secret")
    return page


@pytest.fixture
def client(built: Path) -> Iterator[TestClient]:
    app = FastAPI(openapi_url=None)
    static.install(app, built)
    problems.install(app)
    with TestClient(app, follow_redirects=False) as client:
        yield client


def test_the_root_leads_to_the_page(client: TestClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["location"]) == (307, "/etl/data-loader")


@pytest.mark.parametrize(
    "path", ["/etl/data-loader", "/etl/data-loader/orders/r-1?tab=logs", "/sign-in", "/index.html"]
)
def test_whatever_path_the_page_knows(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.text) == (200, "<!doctype html>page")
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    assert client.head(path).status_code == 200


def test_hashed_files_are_kept_for_ever_and_sent_packed(client: TestClient, built: Path) -> None:
    path = "/assets/main-3f2a.js"
    plain = client.get(path, headers={"Accept-Encoding": "identity"})
    assert plain.text == "main()"
    assert "content-encoding" not in plain.headers
    assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert plain.headers["vary"] == "Accept-Encoding"
    packed = client.get(path, headers={"Accept-Encoding": "deflate, gzip;q=0.8"})
    assert (packed.headers["content-encoding"], packed.text) == ("gzip", "main()")
    assert "javascript" in packed.headers["content-type"]
    with client.stream("GET", path, headers={"Accept-Encoding": "gzip, br"}) as best:
        assert best.headers["content-encoding"] == "br"
        assert b"".join(best.iter_raw()) == b"as brotli has it"
    (built / "assets" / "main-3f2a.js.br").unlink()
    (built / "assets" / "main-3f2a.js.gz").unlink()
    assert "content-encoding" not in client.get(path).headers


def test_other_files_are_asked_for_each_time(client: TestClient) -> None:
    answer = client.get("/favicon.svg")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")


@pytest.mark.parametrize(
    "path",
    ["/assets/gone-1.js", "/assets/", "/robots.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt",
     "/assets/..%2f..%2fsecret.txt", "/%00.js", "/" + "x" * 5000 + ".js"],
)  # fmt: skip
def test_what_is_no_file(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "secret" not in answer.text.replace(path, "")


def test_the_api_is_no_path_of_the_page(client: TestClient) -> None:
    answer = client.get("/api/none")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")


def test_a_page_that_is_not_built_says_how_it_is(tmp_path: Path) -> None:
    app = FastAPI(openapi_url=None)
    static.install(app, tmp_path)
    with TestClient(app) as client:
        answer = client.get("/etl/data-loader")
    assert answer.status_code == 503
    assert "scripts/setup.sh --page" in answer.text
