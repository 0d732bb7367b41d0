from __future__ import annotations

import io
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from etl.command.console import print_json, table_console, watched_console
from etl.command.logging import LogFormat, default_log_format


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_where_nobody_watches_tables_are_wide() -> None:
    assert table_console().width == 220


def test_a_display_moves_only_where_a_person_watches_and_asked_for_no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert watched_console(None) is None
    assert watched_console(LogFormat.CONSOLE) is None
    assert default_log_format() is LogFormat.JSON
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert default_log_format() is LogFormat.CONSOLE
    assert watched_console(None) is not None
    assert watched_console(LogFormat.CONSOLE) is not None
    assert watched_console(LogFormat.JSON) is None
    monkeypatch.setenv("TERM", "dumb")
    assert watched_console(LogFormat.CONSOLE) is None


def test_a_document_is_one_whatever_it_holds(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"at": datetime(2026, 11, 20, tzinfo=UTC), "path": Path("a"), "rows": 3, "name": "ü"})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"at": "2026-11-20T00:00:00+00:00", "path": "a", "rows": 3, "name": "ü"}
    assert printed.endswith("}\n")
