from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from etl.errors import UsageError
from etl.orchestrator.values import Claim, JobKind
from etl.orchestrator.work.launching import Launch, launch_of
from etl.project import DEFAULT_CONFIG_DIR
from tests.unit.orchestrator.work.claims import TICK, claim_of

HERE = {"PATH": "/bin", "ETL_POSTGRES_URL": "postgresql://u:hunter2@h/d"}


def launched(claim: Claim) -> Launch:
    return launch_of(claim, "orchestrator", DEFAULT_CONFIG_DIR, HERE)


def words(argv: list[str], **changes: Any) -> list[str]:
    return list(launched(claim_of(command={"argv": argv}, **changes)).words)


@pytest.mark.parametrize(
    ("argv", "added"),
    [
        (["etl", "run", "--tables", "a"], ["--config-dir", "/elsewhere"]),
        (["etl", "staging", "load", "a", "--config-dir=b"], []),
        (["etl", "upload", "--files", "a"], []),
        (["sh", "run"], []),
    ],
)
def test_a_command_of_the_house_reads_the_workers_configuration(argv: list[str], added: list[str]) -> None:
    claim = claim_of(command={"argv": argv})
    usual = list(launch_of(claim, "orchestrator", DEFAULT_CONFIG_DIR, HERE).words)
    assert list(launch_of(claim, "orchestrator", Path("/elsewhere"), HERE).words) == usual + added


def test_a_command_of_the_house_is_our_own() -> None:
    assert words(["etl", "run", "etl"]) == [sys.executable, "-m", "etl", "run", "etl"]


@pytest.mark.parametrize(
    ("word", "filled"),
    [
        ("{tables}", "x,y"),
        ("--tables={tables}", '--tables=["x","y"]'),
        ("{n}/{flag}/{text}/{n}", "7/true/a b;$(c)/7"),
        ("{nested}", '{"a":[1]}'),
        ("{scheduled_at}", "2026-11-26T02:00:00+00:00"),
        ("{cycle} {run_id}", "2026-11-26T02:00:00Z 17"),
        ('{"json": {n}}', '{"json": 7}'),
        ("{}{ n }{0}", "{}{ n }{0}"),
    ],
)
def test_words_are_filled(word: str, filled: str) -> None:
    parameters = {"tables": ["x", "y"], "n": 7, "flag": True, "text": "a b;$(c)", "nested": {"a": [1]}}
    assert words(["echo", word], parameters=parameters) == ["echo", filled]


def test_what_fills_a_word_is_not_filled_itself() -> None:
    assert words(["echo", "{a}"], parameters={"a": "{b}", "b": "c"}) == ["echo", "{b}"]


@pytest.mark.parametrize("parameters", [{}, {"day": None}])
def test_a_word_without_a_value_is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"expected a value for \{day\}"):
        words(["echo", "{day}"], parameters=parameters)


def test_nul_is_refused_before_it_cuts_a_word() -> None:
    with pytest.raises(UsageError, match="without NUL"):
        words(["echo", "{a}"], parameters={"a": "x\0y"})


def test_the_environment_tells_whose_attempt_it_is() -> None:
    claim = claim_of(parameters={"a": [1]}, interval_from=TICK - timedelta(days=1), interval_until=TICK)
    environment = launched(claim).environment
    assert environment.items() >= HERE.items()
    told = {name.removeprefix("ETL_"): value for name, value in environment.items() if name not in HERE}
    assert told == {
        "FENCE": "orchestrator/17/42",
        "ORCHESTRATOR_RUN_ID": "17",
        "ORCHESTRATOR_JOB": "a",
        "ORCHESTRATOR_ATTEMPT": "1",
        "ORCHESTRATOR_CYCLE": "2026-11-26T02:00:00Z",
        "ORCHESTRATOR_SCHEDULED_AT": "2026-11-26T02:00:00+00:00",
        "ORCHESTRATOR_INTERVAL_FROM": "2026-11-25T02:00:00+00:00",
        "ORCHESTRATOR_INTERVAL_UNTIL": "2026-11-26T02:00:00+00:00",
        "ORCHESTRATOR_PARAMETERS": '{"a":[1]}',
        "ORCHESTRATOR_CONFIG_DIR": str(DEFAULT_CONFIG_DIR),
        "PYTHONUNBUFFERED": "1",
    }
    assert "ETL_ORCHESTRATOR_INTERVAL_FROM" not in launched(claim_of()).environment


@pytest.mark.parametrize(
    ("kind", "command", "module"),
    [
        (JobKind.SQL, {"sql": "a.sql", "store": "postgresql"}, "etl.orchestrator.work.sql_job"),
        (JobKind.PYTHON, {"callable": "m:f"}, "etl.orchestrator.work.python_job"),
    ],
)
def test_a_child_of_ours_hears_by_its_environment_alone(kind: JobKind, command: dict[str, str], module: str) -> None:
    launch = launched(claim_of(kind=kind, command=command, parameters={"a": "secret"}))
    assert launch.words == (sys.executable, "-m", module)
    assert orjson.loads(launch.environment["ETL_ORCHESTRATOR_COMMAND"]) == command
