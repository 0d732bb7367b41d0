from __future__ import annotations

from pathlib import Path

import pytest

from etl.files.finding import each_once, named


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("b.csv", "a.csv", ".hidden.csv", "odd[1].csv", "deep/c.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.csv").symlink_to("a.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("[ba].csv", ["a.csv", "b.csv"]),
        ("**/*.csv", ["a.csv", "b.csv", "deep/c.csv", "link.csv", "odd[1].csv"]),
        (".*.csv", [".hidden.csv"]),
        ("odd[1].csv", ["odd[1].csv"]),
        ("gone.csv", ["gone.csv"]),
        ("gone*", []),
        ("de?p", ["deep"]),
    ],
)
def test_a_pattern_stands_for_what_matches_and_a_name_for_itself(pattern: str, expected: list[str]) -> None:
    assert named(pattern) == [Path(name) for name in expected]


def test_the_home_folder_is_known(folder: Path) -> None:
    assert named("~/[a]*.csv") == [folder / "a.csv"]


def test_a_file_comes_once_by_its_first_name(folder: Path) -> None:
    names = [Path("link.csv"), Path("a.csv"), folder / "a.csv", Path("b.csv"), Path("deep/../b.csv"), Path("gone.csv")]
    assert each_once(names) == [Path("link.csv"), Path("b.csv"), Path("gone.csv")]
