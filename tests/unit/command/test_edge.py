"""How every command ends: its exit code, and what it says."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from etl.command.edge import Edge, Ended, run_tool, tool
from etl.command.exits import Exit
from etl.errors import ConfigurationError, ConnectionLostError, DataError, EtlError, Fault, NotYetError, UsageError

pytestmark = pytest.mark.usefixtures("restored_logging")


def raising(error: BaseException) -> int:
    raise error


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UsageError("no such table"), Exit.USAGE, "no such table\n"),
        (NotYetError("its run is alive"), Exit.NOT_YET, "its run is alive\n"),
        (
            ConfigurationError([Fault("a.yaml", 3, "bad")]),
            Exit.USAGE,
            "1 fault in the configuration:\n  a.yaml:3: bad\n",
        ),
        (DataError("a NULL key"), Exit.FAILED, "a NULL key\n"),
        (ConnectionLostError("at postgresql://u:hush@h/d"), Exit.FAILED, "at postgresql://u:***@h/d\n"),
        (OSError(28, "No space left on device"), Exit.FAILED, "[Errno 28] No space left on device\n"),
        (
            ModuleNotFoundError("No module named 'pyspark'", name="pyspark.sql"),
            Exit.USAGE,
            "this needs pyspark, which is not installed; run scripts/setup.sh\n",
        ),
        (KeyboardInterrupt(), Exit.INTERRUPTED, "interrupted\n"),
        (Ended(signal.SIGTERM), Exit.TERMINATED, "terminated\n"),
        (Ended(signal.SIGINT, "ended by SIGINT"), Exit.INTERRUPTED, "ended by SIGINT\n"),
    ],
)
def test_each_kind_of_error_has_its_code(
    error: BaseException, code: Exit, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert Edge().exit_code(lambda: raising(error)) == code
    assert capsys.readouterr() == ("", said)


def test_what_nobody_expected_is_logged_with_its_traceback_and_without_secrets(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert Edge().exit_code(lambda: raising(RuntimeError("at postgresql://u:hush@h/d"))) == Exit.FAILED
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" in said.err
    assert "hush" not in said.err


def test_a_work_that_ends_well_says_its_own_code() -> None:
    assert Edge().exit_code(lambda: None) == Exit.DONE
    assert Edge().exit_code(lambda: Exit.NOT_UP) == Exit.NOT_UP


def test_a_tool_may_say_what_its_errors_mean_and_what_stays(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[tuple[str, Exit]] = []
    edge = Edge(lambda _: Exit.USAGE, lambda text, code: told.append((text, code)), what_stays="three rows stay")
    assert edge.exit_code(lambda: raising(DataError("bad"))) == Exit.USAGE
    assert edge.exit_code(lambda: raising(Ended(signal.SIGTERM))) == Exit.TERMINATED
    assert told == [("bad", Exit.USAGE), ("terminated; three rows stay", Exit.TERMINATED)]
    assert capsys.readouterr() == ("", "")


def test_a_module_of_ours_that_is_missing_is_no_matter_of_set_up(capsys: pytest.CaptureFixture[str]) -> None:
    error = ModuleNotFoundError("No module named 'etl.gone'", name="etl.gone")
    assert Edge().exit_code(lambda: raising(error)) == Exit.FAILED
    assert "Traceback" in capsys.readouterr().err


def test_where_stdout_is_closed_a_command_ends_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    assert Edge().exit_code(lambda: None) == Exit.DONE


def command_line(error: EtlError | None = None, code: int | None = None) -> typer.Typer:
    app = tool("Two commands.")

    @app.command()
    def act(number: int = 0) -> int | None:
        return raising(error) if error else code

    @app.command()
    def rest() -> None:
        """Does nothing."""

    return app


def test_a_command_returns_its_exit_code_and_raises_our_errors() -> None:
    assert CliRunner().invoke(command_line(), ["act"]).exit_code == 0
    assert CliRunner().invoke(command_line(code=Exit.FAILED), ["act"]).exit_code == 1
    refused = CliRunner().invoke(command_line(UsageError("not so")), ["act"])
    assert (refused.exit_code, refused.stdout, refused.stderr) == (2, "", "not so\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["act", "--number", "x"], "program act: Invalid value for '--number'"),
        (["act", "postgresql://u:hush@h/d"], "program act: Got unexpected extra argument"),
        (["sideways"], "program: No such command 'sideways'."),
    ],
)
def test_bad_use_is_one_line_and_where_to_read_on(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_tool(command_line(), "program", arguments)
    assert ended.value.code == Exit.USAGE
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith(said)
    assert told.err.endswith("--help'.\n")
    assert "hush" not in told.err


def test_without_arguments_the_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run_tool(command_line(), "program", [])
    assert ended.value.code == Exit.USAGE
    assert "Two commands." in capsys.readouterr().out


SLEEPER = """
import time
from etl.command.edge import run_tool, tool
app = tool("")
@app.command()
def sleep():
    try:
        print("asleep", flush=True)
        time.sleep(60)
    finally:
        print("cleaned up", flush=True)
@app.command()
def write():
    for _ in range(100_000):
        print("line")
run_tool(app, "sleeper")
"""


@pytest.mark.parametrize(
    ("number", "code", "said"), [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "terminated\n")]
)
def test_a_signal_lets_the_work_clean_up(number: signal.Signals, code: int, said: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, "sleep"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "asleep\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (code, "cleaned up\n", said)


def test_a_reader_that_has_read_enough_ends_it_without_a_word() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", SLEEPER, "write"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.readline() == "line\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == Exit.FAILED
