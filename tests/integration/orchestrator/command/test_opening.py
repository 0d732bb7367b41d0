"""What every command says where it cannot begin."""

from __future__ import annotations

import pytest

from tests.integration.orchestrator.command.conftest import Orchestrate

pytestmark = pytest.mark.stack


def test_a_database_without_tables_is_told_with_what_makes_them(
    orchestrate: Orchestrate, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = environment["ETL_ORCHESTRATOR_POSTGRES_URL"].rpartition("/")[0] + "/postgres"
    monkeypatch.setenv("ETL_ORCHESTRATOR_POSTGRES_URL", elsewhere)
    done = orchestrate("job", "list")
    assert done.code == 2
    assert "has no orchestrator in schema 'orchestrator'; run `" in done.err
    assert "orchestrator migrate`" in done.err


def test_without_a_database_the_variable_is_named(orchestrate: Orchestrate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ETL_ORCHESTRATOR_POSTGRES_URL")
    done = orchestrate("job", "list")
    assert (done.code, done.out) == (2, "")
    assert "ETL_ORCHESTRATOR_POSTGRES_URL" in done.err


def test_a_server_that_is_not_there_is_one_line(orchestrate: Orchestrate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_ORCHESTRATOR_POSTGRES_URL", "postgresql://someone:s3cret-word@127.0.0.1:1/nowhere")
    done = orchestrate("job", "list")
    assert done.code == 1
    assert "127.0.0.1" in done.err
    assert "s3cret-word" not in done.err
    assert "Traceback" not in done.err
