from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from etl.errors import UsageError
from etl.project import PROJECT_DIR
from etl.stack.layout import Layout, default_layout, locked, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    write_private(tmp_path / "secret", "hush")
    assert (tmp_path / "secret").read_text() == "hush"
    assert mode(tmp_path / "secret") == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


def test_nobody_else_can_look_into_the_data_folder(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "stack")
    layout.create()
    layout.create()
    assert mode(layout.data_dir) & 0o066 == 0
    assert mode(layout.logs_dir) == 0o700


def test_deleting_keeps_the_lock_that_others_wait_for(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.create()
    layout.lock_file.touch()
    layout.credentials_file.touch()
    (tmp_path / "link").symlink_to("/")
    layout.delete_content()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_the_data_folder_does_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ETL_DATA_DIR", raising=False)
    assert default_layout() == Layout(PROJECT_DIR / ".data" / "stack")
    monkeypatch.setenv("ETL_DATA_DIR", "here")
    assert default_layout() == Layout(tmp_path / "here")


def test_a_data_folder_whose_name_is_not_utf8_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETL_DATA_DIR", os.fsdecode(b"/tmp/caf\xe9"))
    with pytest.raises(UsageError, match=r"ETL_DATA_DIR: expected a folder whose name is UTF-8, found /tmp/caf\\xe9"):
        default_layout()


def test_the_lock_is_held_by_one_and_freed_by_its_death(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(lock)], cwd=PROJECT_DIR, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    waited: list[str] = []

    def kill_the_holder() -> None:
        waited.append("waited")
        holder.kill()

    with locked(lock, on_wait=kill_the_holder):
        assert waited == ["waited"]
    holder.wait()
    holder.stdout.close()


HOLD_LOCK = """
import sys, time
from pathlib import Path
from etl.stack.layout import locked
with locked(Path(sys.argv[1]), on_wait=lambda: None):
    print("held", flush=True)
    time.sleep(600)
"""
