"""What changes in conf/staging shows without a restart, and what is broken there changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from etl.api import configured
from etl.api.configured import KeptConfiguration
from etl.errors import ConfigurationError

ENVIRONMENT = {"ETL_STAGING_POSTGRES_URL": "postgresql://u:p@127.0.0.1/d"}
ONE = "jobs:\n  one: {target_table: stg_one, source: {type: stdin}, source_id: id}\n"
TWO = ONE + "  two: {target_table: stg_two, source: {type: stdin}, source_id: id}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Looked at each time, as if a second had passed."""
    monkeypatch.setattr(configured, "LOOK_SECONDS", 0)
    monkeypatch.setattr(configured, "LOOK_SECONDS_OF_BROKEN", 3600)
    (tmp_path / "staging").mkdir()
    (tmp_path / "staging" / "jobs.yaml").write_text(ONE)
    return tmp_path


@pytest.fixture
def kept(folder: Path) -> KeptConfiguration:
    return KeptConfiguration.of(folder, ENVIRONMENT)


def test_files_are_read_once_while_nothing_changes(kept: KeptConfiguration) -> None:
    assert kept.now() is kept.now()


def test_new_changed_and_removed_files_show(folder: Path, kept: KeptConfiguration) -> None:
    (folder / "staging" / "jobs.yaml").write_text(TWO)
    assert list(kept.now().jobs) == ["one", "two"]
    assert [job.id for job in kept.now().known] == ["one", "two"]
    (folder / "staging" / "more.yml").write_text(ONE.replace("one", "three"))
    assert list(kept.now().jobs) == ["one", "two", "three"]
    (folder / "staging" / "jobs.yaml").unlink()
    assert list(kept.now().jobs) == ["three"]


def test_what_is_broken_leaves_the_last_good_one_and_is_told_once(folder: Path, kept: KeptConfiguration) -> None:
    with capture_logs() as logs:
        (folder / "staging" / "jobs.yaml").write_text(TWO + "  three: {}\n")
        assert [list(kept.now().jobs) for _ in range(3)] == [["one"]] * 3
        assert not kept.is_current
        (folder / "staging" / "jobs.yaml").write_text(TWO)
        assert list(kept.now().jobs) == ["one", "two"]
        assert kept.is_current
    assert [each["log_level"] for each in logs] == ["error", "info"]
    assert "job three: " in logs[0]["error"]


def test_a_schema_that_was_missing_is_looked_for_again(
    folder: Path, kept: KeptConfiguration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configured, "LOOK_SECONDS_OF_BROKEN", 0)
    (folder / "staging" / "jobs.yaml").write_text(TWO.replace("stdin}", "stdin}, shape: schema.json"))
    assert list(kept.now().jobs) == ["one"]
    (folder / "schema.json").write_text("{}")
    assert list(kept.now().jobs) == ["one", "two"]


def test_another_database_needs_a_new_beginning(folder: Path, kept: KeptConfiguration) -> None:
    with capture_logs() as logs:
        (folder / "etl.yaml").write_text("staging: {schema: elsewhere}\n")
        (folder / "staging" / "jobs.yaml").write_text(TWO)
        assert list(kept.now().jobs) == ["one"]
    assert not kept.is_current
    assert "begin anew" in logs[0]["error"]


def test_there_must_be_a_good_one_to_begin_with(folder: Path) -> None:
    (folder / "staging" / "jobs.yaml").write_text("jobs: [")
    with pytest.raises(ConfigurationError):
        KeptConfiguration.of(folder, ENVIRONMENT)
