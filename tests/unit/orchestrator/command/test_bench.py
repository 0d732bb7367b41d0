"""`etl orchestrator bench` becomes the project's benchmark, or says in a line that there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from etl.command.edge import run_tool
from etl.orchestrator.__main__ import app
from etl.orchestrator.command import bench


def ended(*arguments: str) -> object:
    with pytest.raises(SystemExit) as end:
        run_tool(app, "etl orchestrator", arguments)
    return end.value.code


def test_without_the_projects_folder_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "_SUITE", tmp_path / "orchestrator.py")
    assert ended("bench") == 2
    assert capsys.readouterr().err == (
        f"expected the project's folder bench beside the package, found no {tmp_path}/orchestrator.py; "
        "run it in a clone\n"
    )


def test_its_options_are_the_benchmarks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = tmp_path / "orchestrator.py"
    suite.touch()
    calls: list[list[str]] = []

    def execute(_: str, arguments: list[str]) -> None:
        calls.append(arguments)
        raise SystemExit(0)

    monkeypatch.setattr(bench, "_SUITE", suite)
    monkeypatch.setattr(bench.os, "execv", execute)
    monkeypatch.chdir(tmp_path)
    assert ended("bench", "--only", "claim", "--json", "out.json") == 0
    assert calls == [[sys.executable, "-m", "bench", "orchestrator", "--only", "claim", "--json", "out.json"]]
