"""`etl`: what stands behind it, and that each tool is loaded alone."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import etl
import etl.submission
from etl.__main__ import ROOMS, app, main
from etl.ingestion.command import commands
from etl.project import PROJECT_DIR

HEAVY = {"pyspark", "psycopg2", "pandas", "asyncpg", "boto3", "chdb", "pyarrow", "sqlglot", "numpy", "pydantic"}


def ran(*arguments: str, before: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
    """`etl …` in a process of its own, which says at its end what of HEAVY it has imported."""
    script = f"""
import atexit, sys
{before}
sys.argv = ["etl", *{list(arguments)!r}]
atexit.register(lambda: print("imported:", *sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr))
from etl.__main__ import main
main()
"""
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=PROJECT_DIR,
        env={**os.environ, "COLUMNS": "200", **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def imported(done: subprocess.CompletedProcess[str]) -> set[str]:
    (line,) = (line for line in done.stderr.splitlines() if line.startswith("imported:"))
    return set(line.split()[1:])


def test_it_is_a_command_of_the_package() -> None:
    settings = configparser.ConfigParser()
    settings.read(PROJECT_DIR / "setup.cfg", encoding="utf-8")
    scripts = settings["options.entry_points"]["console_scripts"].split("\n")
    assert "etl = etl.__main__:main" in scripts


def test_its_help_names_every_tool_and_loads_none() -> None:
    done = ran("--help")
    assert done.returncode == 0
    assert [name for name in ROOMS if f"│ {name} " in done.stdout] == list(ROOMS)
    assert imported(done) == set()


def test_its_version_is_the_packages() -> None:
    done = ran("--version")
    assert (done.returncode, done.stdout) == (0, f"ownlens-etl {etl.__version__}\n")
    assert imported(done) == set()
    assert version("ownlens-etl") == etl.__version__


@pytest.mark.parametrize(
    ("tool", "foreign"),
    [
        ("run", {"pyspark", "pandas", "asyncpg", "boto3", "chdb"}),
        ("staging", {"pyspark", "pandas", "boto3", "chdb"}),
        ("upload", {"pyspark", "psycopg2", "pandas", "boto3", "chdb", "sqlglot"}),
        ("orchestrator", {"pyspark", "pandas", "asyncpg", "boto3", "chdb"}),
        ("rejects", {"pyspark", "pandas", "asyncpg", "boto3", "chdb"}),
        ("lake", {"asyncpg", "chdb"}),
        ("doctor", {"pyspark", "pandas", "asyncpg", "boto3", "chdb"}),
        ("config", {"pyspark", "pandas", "psycopg2", "asyncpg", "boto3", "chdb"}),
        ("sample", {"pyspark", "asyncpg", "boto3", "chdb"}),
        ("stack", {"pyspark", "pandas", "asyncpg", "boto3", "chdb", "sqlglot"}),
    ],
)
def test_a_tool_loads_what_is_its_own(tool: str, foreign: set[str]) -> None:
    done = ran(tool, "--help")
    assert done.returncode == 0, done.stderr
    assert f"Usage: etl {tool} " in done.stdout
    assert imported(done) & foreign == set()


def paths(group: Any, context: Any, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command there is, with those above it."""
    for name in group.list_commands(context):
        below = group.get_command(context, name)
        with below.make_context(name, [], parent=context, resilient_parsing=True) as opened:
            yield (*above, name)
            if hasattr(opened.command, "list_commands"):
                yield from paths(opened.command, opened, (*above, name))


def test_every_command_tells_its_flags() -> None:
    group = typer.main.get_command(app)
    with group.make_context("etl", [], resilient_parsing=True) as context:
        found = list(paths(group, context))
    assert len(found) > 50
    for known in (
        ("run",),
        ("staging", "migrate"),
        ("upload", "retry-failed"),
        ("orchestrator", "run", "why-not"),
        ("lake", "vacuum"),
    ):
        assert known in found
    for path in found:
        told = CliRunner().invoke(app, [*path, "--help"], prog_name="etl", env={"COLUMNS": "200"})
        assert told.exit_code == 0, path
        assert f"Usage: etl {' '.join(path)} " in told.stdout


def ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["etl", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["stagin"], "No such command 'stagin'. Did you mean 'staging'?"),
        (["--nope"], "No such option: --nope"),
        (["staging", "load"], "etl staging load: Missing argument 'JOB'."),
        (["run", "--load-destination", "s3"], "etl run: No such option: --load-destination"),
        (["run", "--parallelism", "0"], "etl run: argument --parallelism: expected a whole number of at least 1"),
        (["run", "--tables", "nope"], "unknown table 'nope'"),
        (["run", "--config-dir", "/nowhere"], "/nowhere"),
        (["run", "--since", "yesterday"], "--since: expected a date or time"),
        (["config", "show", "nope"], "unknown table 'nope'"),
        (["orchestrator", "rnu"], "No such command 'rnu'. Did you mean 'run'?"),
        (["orchestrator", "run", "cancel", "7"], "etl orchestrator run cancel: Missing option '--reason'."),
    ],
)
def test_bad_use_ends_with_2(
    arguments: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended(monkeypatch, *arguments) == 2
    assert said in capsys.readouterr().err


WITHOUT_SQLGLOT = """
class Without:
    def find_spec(self, name, path=None, target=None):
        if name == "sqlglot":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Without())
"""


def test_what_is_not_installed_is_said_in_one_line() -> None:
    done = ran("staging", "status", before=WITHOUT_SQLGLOT)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == (
        "`etl staging` needs sqlglot, which is not installed; run scripts/setup.sh --staging"
    )
    assert "Traceback" not in done.stderr


def test_the_tab_key_finds_nothing_in_what_is_not_installed() -> None:
    asked = {"_ETL_COMPLETE": "complete_bash", "COMP_WORDS": "etl staging lo", "COMP_CWORD": "2"}
    done = ran(before=WITHOUT_SQLGLOT, **asked)
    assert (done.returncode, done.stdout.strip()) == (0, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("etl st", {"staging", "stack"}),
        ("etl staging re", {"retry"}),
        ("etl run --load-d", {"--load-destinations"}),
        ("etl upload re", {"retry-failed"}),
        ("etl upload a.csv --tab", {"--table"}),
    ],
)
def test_the_shell_completes(
    words: str, completed: set[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"_ETL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    for name, value in asked.items():
        monkeypatch.setenv(name, value)
    assert ended(monkeypatch) == 0
    assert set(capsys.readouterr().out.split()) == completed


def test_the_shells_own_script_is_shown() -> None:
    done = ran("--show-completion", "bash", _TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION="1")
    assert "_ETL_COMPLETE" in done.stdout


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the process would have become; it stays this one."""
    calls: list[list[str]] = []

    def execute(_: object, arguments: list[str]) -> None:
        calls.append(arguments)
        raise SystemExit(0)

    monkeypatch.setattr(etl.submission.os, "execv", execute)
    return calls


def test_run_is_spark_submit_with_the_same_flags(executed: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    given = ["--load-destinations", "s3,ch", "--tables", "brands", "--no-validate", "--maximum-deleted=5%"]
    assert ended(monkeypatch, "run", *given) == 0
    assert executed == [[f"{PROJECT_DIR}/spark-submit.sh", f"{PROJECT_DIR}/jobs/run_etl.py", *given]]


def test_run_without_spark_says_what_to_install(
    executed: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(etl.submission, "find_spec", lambda _: None)
    assert ended(monkeypatch, "run", "--dry-run") == 2
    assert capsys.readouterr().err == "this needs pyspark, which is not installed; run scripts/setup.sh\n"
    assert executed == []


@pytest.mark.parametrize("given", [["--help"], ["--tables", "nope"], ["--nope"]])
def test_help_and_faults_of_use_submit_nothing(
    given: list[str], executed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(monkeypatch, "run", *given)
    assert executed == []


def test_upload_takes_files_as_load_does_and_knows_the_other_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, Mapping[str, Any]]] = []
    for name in ("load_files", "show_status", "retry_failed_files", "set_up_database"):
        monkeypatch.setattr(commands, name, lambda raw, _, name=name: calls.append((name, dict(raw))) or 0)
    for line in (
        "a.csv b.csv --table t --resume false",
        "load --files a.csv b.csv --table t --no-resume",
        "--table t --files a.csv b.csv",
    ):
        assert ended(monkeypatch, "upload", *line.split()) == 0
    loads = [raw for name, raw in calls if name == "load_files"]
    assert len(loads) == 3
    assert all(raw == loads[0] for raw in loads)
    assert (loads[0]["files"], loads[0]["table"], loads[0]["resume"]) == (["a.csv", "b.csv"], "t", False)
    for line in ("status --file a.csv", "retry-failed --table t", "init"):
        assert ended(monkeypatch, "upload", *line.split()) == 0
    assert [name for name, _ in calls[3:]] == ["show_status", "retry_failed_files", "set_up_database"]
