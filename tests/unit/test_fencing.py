"""An orchestrator's token: as it is written, what is asked with it, and by which name its sessions are found."""

from __future__ import annotations

import pickle

import pytest

from etl.config.settings import PostgreSQLSettings, Settings
from etl.errors import FencedError, TerminalError, UsageError
from etl.fencing import Fence, read_fence

SERVER = PostgreSQLSettings.model_validate({"host": "db", "user": "etl", "password": "p", "database": "etl"})
LARGEST = Fence("orchestrator", 10**18 - 1, 10**18 - 1)


def test_read() -> None:
    assert read_fence({"ETL_FENCE": "orchestrator/17/42"}) == Fence("orchestrator", 17, 42)


@pytest.mark.parametrize("environ", [{}, {"ETL_FENCE": ""}])
def test_none_without_an_orchestrator(environ: dict[str, str]) -> None:
    assert read_fence(environ) is None


@pytest.mark.parametrize(
    "written",
    ["orchestrator/17", "17/42", "orchestrator/17/42/1", 'or"ch/17/42', "orchestrator/0/1", "orchestrator/17/x", "//"],
)
def test_what_cannot_be_read_is_refused(written: str) -> None:
    with pytest.raises(UsageError, match="ETL_FENCE: expected <schema>/<run>/<token>") as refused:
        read_fence({"ETL_FENCE": written})

    assert repr(written) in refused.value.message


def test_a_schema_is_quoted() -> None:
    fence = Fence("user", 17, 42)

    assert fence.question == 'SELECT 1 WHERE "user".dw_etl_hold_fence(42)'
    assert fence.is_there == "SELECT 1 WHERE to_regprocedure('\"user\".dw_etl_hold_fence(bigint)') IS NOT NULL"


def test_a_lost_one_says_whose_it_was_and_that_nothing_was_stored() -> None:
    error = Fence("orchestrator", 17, 42).lost("orders into postgresql cannot begin")

    assert isinstance(error, FencedError)
    assert isinstance(error, TerminalError)
    assert "attempt 42 of the orchestrator's run 17" in error.message
    assert "nothing of this transaction was stored" in error.message


def test_sessions_are_named_where_nothing_is_cut_off() -> None:
    named = SERVER.of_attempt(LARGEST).of_run("20261120T210733-ab12cd")

    assert f" {LARGEST.session} " in named.session_name("extract") + " "
    assert len(named.session_name("extract")) <= 63
    assert SERVER.of_run("r1").of_attempt(Fence("o", 17, 42)).session_name("ledger") == (
        "ownlens-etl run 17/42 ledger r1"
    )
    assert SERVER.of_run("r1").session_name("ledger") == "ownlens-etl ledger r1"


def test_every_server_of_an_attempt_knows_it_wherever_it_goes() -> None:
    fence = Fence("orchestrator", 17, 42)
    settings = Settings(source=SERVER, ledger=SERVER, postgresql=SERVER, staging=SERVER).of_attempt(fence).of_run("r1")
    servers = [settings.source, settings.ledger, settings.postgresql, settings.staging]

    assert [server and server.fence for server in servers] == [fence] * 4
    assert pickle.loads(pickle.dumps(servers[0])).fence == fence
    assert SERVER.fence is None
