from __future__ import annotations

from pathlib import Path

import pytest

from etl.command.edge import run_tool
from etl.command.typed import etl_as_typed
from etl.stack.__main__ import app
from etl.stack.environment import GROUPS


def main(arguments: list[str]) -> object:
    """The exit code of `python -m etl.stack`."""
    with pytest.raises(SystemExit) as ended:
        run_tool(app, "python -m etl.stack", arguments)
    return ended.value.code


@pytest.fixture(autouse=True)
def nothing_configured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (name for names in GROUPS.values() for name in names):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ETL_DATA_DIR", str(tmp_path / "stack"))


def test_env_before_the_first_start_is_bad_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "--config-dir", str(tmp_path)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"run `{etl_as_typed()} stack up` first" in printed.err


def test_whoever_has_servers_of_his_own_needs_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ETL_POSTGRES_URL", "ETL_SOURCE_POSTGRES_URL", "ETL_CLICKHOUSE_URL", "ETL_S3_BUCKET"):
        monkeypatch.setenv(name, "his own")
    assert main(["up", "--missing", "--config-dir", str(tmp_path)]) == 0
    assert main(["env", "--config-dir", str(tmp_path)]) == 0
    assert capsys.readouterr() == ("", "")
    assert not (tmp_path / "stack").exists()


def test_an_unknown_server_is_bad_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["up", "mysql"]) == 2
    assert "expected servers among postgresql, clickhouse, s3, found mysql" in capsys.readouterr().err


def test_status_and_down_of_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["down"]) == 0
    assert main(["status"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["postgresql", "down"], ["clickhouse", "down"], ["s3", "down"]]


@pytest.mark.parametrize("arguments", [[], ["sideways"], ["down", "s3"]])
def test_what_is_no_command_exits_with_2(arguments: list[str]) -> None:
    assert main(arguments) == 2
