from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from etl.errors import StoreError
from etl.stack.credentials import new_credentials, read_credentials, write_credentials


def test_they_come_back_as_written(tmp_path: Path) -> None:
    credentials = new_credentials()
    write_credentials(tmp_path / "c", credentials)
    assert read_credentials(tmp_path / "c") == credentials


def test_before_the_first_start_there_are_none(tmp_path: Path) -> None:
    assert read_credentials(tmp_path / "c") is None


def test_no_two_are_alike_and_none_is_short() -> None:
    one, other = (set(asdict(new_credentials()).values()) for _ in range(2))
    assert len(one) == 6
    assert one.isdisjoint(other)
    assert min(map(len, one)) >= 16


def test_they_do_not_show_in_a_repr() -> None:
    credentials = new_credentials()
    shown = repr(credentials)
    assert [name for name, value in asdict(credentials).items() if value in shown] == ["stack_id"]


@pytest.mark.parametrize("content", ["{", "[]", '{"stack_id": "x"}', ""])
def test_a_broken_file_says_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "c").write_text(content)
    with pytest.raises(StoreError, match="etl stack reset"):
        read_credentials(tmp_path / "c")
