"""The document that the page's client is generated from."""

from __future__ import annotations

import sys

import pytest

from etl.api.__main__ import app as command
from etl.api.app import create_app
from etl.api.openapi import as_file, document_of
from etl.command.edge import run_tool
from etl.project import PROJECT_DIR

COMMITTED = PROJECT_DIR / "ui" / "openapi.json"


def test_the_committed_document_is_what_the_app_says() -> None:
    assert as_file(document_of(create_app())) == COMMITTED.read_bytes(), "run: etl api openapi > ui/openapi.json"


def test_the_command_prints_it(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_tool(command, "etl api", ["openapi"])
    assert not ended.value.code
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == COMMITTED.read_bytes()


def test_every_route_says_what_goes_wrong_as_a_problem() -> None:
    paths = document_of(create_app())["paths"]
    operations = [operation for path in paths.values() for operation in path.values()]
    assert len(operations) > 15
    for operation in operations:
        assert operation["responses"]["default"]["content"].keys() == {"application/problem+json"}
        assert "422" not in operation["responses"]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
