from __future__ import annotations

import sys
from pathlib import Path

import pytest

from etl.command.typed import etl_as_typed
from etl.report.commands import Commands


def test_it_is_called_as_the_shell_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set-up is activated, or is not, or there is none: Spark of one's own."""
    ours = tmp_path / "my venv" / "bin" / "etl"
    ours.parent.mkdir(parents=True)
    monkeypatch.setattr(sys, "executable", str(ours.with_name("python")))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert etl_as_typed() == "python -m etl"
    ours.write_text("#!/bin/sh\n")
    ours.chmod(0o755)
    assert etl_as_typed() == f"'{ours}'"
    other = tmp_path / "etl"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    assert etl_as_typed() == f"'{ours}'"
    monkeypatch.setenv("PATH", str(ours.parent))
    assert etl_as_typed() == "etl"
    assert Commands(Path("my conf")).retry_rejects() == "etl rejects retry --config-dir 'my conf'"
    assert Commands().retry_staging("r 1") == "etl staging retry --run 'r 1'"
