"""Patterns and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.ingestion.files import find_files, guess_file_type, type_faults
from etl.ingestion.model import FileType


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.csv", "a.csv", "c.parquet", "deep/er/d.csv", "odd[1].csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return tmp_path


def test_a_pattern_gives_its_files_by_name(folder: Path) -> None:
    files, faults = find_files([f"{folder}/[ab].csv"])
    assert [Path(file).name for file in files] == ["a.csv", "b.csv"]
    assert faults == []


def test_two_stars_stand_for_folders_at_any_depth(folder: Path) -> None:
    files, _ = find_files([f"{folder}/**/*.csv"])
    assert {Path(file).name for file in files} == {"a.csv", "b.csv", "d.csv", "odd[1].csv"}


def test_a_file_comes_once_however_often_it_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "link.csv").symlink_to(folder / "a.csv")
    files, _ = find_files(["a.csv", f"{folder}/a.csv", "./deep/../a.csv", "link.csv", "*.csv"])
    assert files == ["a.csv", "b.csv", "odd[1].csv"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder: Path) -> None:
    assert find_files([f"{folder}/odd[1].csv"]) == ([f"{folder}/odd[1].csv"], [])


def test_every_pattern_without_a_file_is_a_fault(folder: Path) -> None:
    files, faults = find_files([f"{folder}/*.tsv", f"{folder}/a.csv", f"{folder}/nope.csv", str(folder)])
    assert files == [f"{folder}/a.csv"]
    assert len(faults) == 3
    assert faults[0].endswith("/*.tsv': matches no file")
    assert "is a folder; expected a file or a pattern such as" in faults[2]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.csv", FileType.CSV),
        ("a.CSV.GZ", FileType.CSV),
        ("a.tsv.zst", FileType.CSV),
        ("a.txt.bz2", FileType.CSV),
        ("x/y.parquet", FileType.PARQUET),
        ("a.csv.parquet", FileType.PARQUET),
        ("a.dat", None),
        ("a.gz", None),
        ("csv", None),
    ],
)
def test_the_name_says_the_type_or_does_not(name: str, expected: FileType | None) -> None:
    assert guess_file_type(name) is expected
    assert bool(type_faults([name])) == (expected is None)
