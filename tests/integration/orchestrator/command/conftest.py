"""Commands as a user calls them, on the tests' own database."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from etl.command.edge import run_tool
from etl.config.settings import PostgreSQLSettings
from etl.orchestrator.__main__ import app
from etl.orchestrator.database.database import OrchestratorDatabase
from tests.integration.orchestrator.conftest import environment_of


@dataclass(frozen=True)
class Done:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


Orchestrate = Callable[..., Done]


@pytest.fixture
def environment(
    orchestrator_settings: PostgreSQLSettings, database: OrchestratorDatabase, tmp_path: Path
) -> dict[str, str]:
    return environment_of(orchestrator_settings)


@pytest.fixture
def orchestrate(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Orchestrate:
    """`etl orchestrator …` in this process, with an empty folder of configuration."""
    for name in set(os.environ) - set(environment):
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def command(*arguments: str) -> Done:
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            run_tool(app, "etl orchestrator", [*arguments, "--config-dir", str(tmp_path)])
        said = capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Done(end.value.code, said.out, said.err)

    return command
