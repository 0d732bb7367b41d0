"""How a command ends: its exit code, and what it says of an error."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from etl.command.logging import LogFormat
from etl.errors import ConnectionLostError, SchemaMismatchError, UsageError
from etl.ingestion.command.commands import _exit_code, retry_failed_files, set_up_database, show_status
from etl.ingestion.command.event_loop import Interrupted
from etl.ingestion.command.options import Reader
from etl.ingestion.command.outputs import read_outputs
from etl.ingestion.database.settings import DSN_VARIABLE

pytestmark = pytest.mark.usefixtures("restored_logging")


def ended_by(error: BaseException) -> int:
    def work() -> int:
        raise error

    return _exit_code(work)


@pytest.mark.parametrize(
    ("error", "expected", "told"),
    [
        (UsageError("no such file"), 2, "uploader: no such file\n"),
        (SchemaMismatchError("two columns"), 2, "uploader: two columns\n"),
        (ConnectionLostError("gone"), 1, "uploader: gone\n"),
        (Interrupted(signal.SIGINT), 130, "uploader: ended by SIGINT; what had committed stays"),
        (Interrupted(signal.SIGTERM), 143, "--resume takes up the rest"),
        (KeyboardInterrupt(), 130, ""),
        (UsageError("at postgresql://u:hush@h/d"), 2, "postgresql://u:***@h/d"),
        (RuntimeError("at postgresql://u:hush@h/d"), 1, "postgresql://u:***@h/d"),
    ],
)
def test_each_kind_of_error_has_its_code(
    error: BaseException, expected: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended_by(error) == expected
    said = capsys.readouterr()
    assert told in said.err
    assert "hush" not in said.out + said.err


@pytest.mark.parametrize("command", [show_status, retry_failed_files, set_up_database])
def test_no_command_takes_a_table_that_is_no_identifier(
    command: Callable[[Mapping[str, Any], Mapping[str, str]], int], capsys: pytest.CaptureFixture[str]
) -> None:
    raw = {"table": "a;b", "role": "loader", "connect_timeout": "10", "json": False, "log_format": ""}
    assert command(raw, {DSN_VARIABLE: "postgresql://nobody@127.0.0.1:1/none"}) == 2
    assert "--table: 'a;b' is no identifier" in capsys.readouterr().err


def test_a_work_that_ends_well_says_its_own_code() -> None:
    assert _exit_code(lambda: 0) == 0
    assert _exit_code(lambda: 1) == 1


def test_outputs_are_read_with_all_their_faults() -> None:
    reader = Reader({"metrics_port": "99999", "log_format": "xml", "metrics_textfile": "/nowhere/at/all.prom"})
    read_outputs(reader, {})
    assert [fault.split()[0] for fault in reader.faults] == ["--metrics-port", "--metrics-textfile", "--log-format"]
    good = Reader({"metrics_port": "9100", "log_format": "json", "json": True, "pushgateway": "host:9091"})
    outputs = read_outputs(good, {})
    assert good.faults == []
    assert (outputs.metrics_port, outputs.log_format, outputs.is_json) == (9100, LogFormat.JSON, True)
    assert outputs.pushgateway == "host:9091"
