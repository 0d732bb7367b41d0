"""Patterns → the files to load, each once, and what kind of file each is."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from etl.files.finding import each_once, named
from etl.files.unpacking import codec_of
from etl.ingestion.model import FileType

_TYPES = {
    ".csv": FileType.CSV,
    ".tsv": FileType.CSV,
    ".txt": FileType.CSV,
    ".parquet": FileType.PARQUET,
    ".pq": FileType.PARQUET,
}


def find_files(patterns: Iterable[str]) -> tuple[list[str], list[str]]:
    """(files, faults): in the patterns' order and by name within each; a file that several name comes once."""
    files: list[Path] = []
    faults = []
    for pattern in patterns:
        found = [path for path in named(pattern) if path.is_file()]
        files += found
        if not found:
            faults.append(f"--files {pattern!r}: {_nothing(pattern)}")
    return list(map(str, each_once(files))), faults


def guess_file_type(path: str) -> FileType | None:
    """By the name alone, a compression's ending aside; None where it does not say."""
    name = Path(path)
    stem = Path(name.stem) if codec_of(name) else name
    return _TYPES.get(stem.suffix.lower())


def type_faults(files: Iterable[str]) -> list[str]:
    """Of files whose type nobody gave."""
    return [
        f"--files {path!r}: the name does not say what it holds; give --file-type csv or parquet"
        for path in files
        if guess_file_type(path) is None
    ]


def _nothing(pattern: str) -> str:
    path = Path(pattern).expanduser()
    if path.is_dir():
        return f"is a folder; expected a file or a pattern such as '{pattern.rstrip('/')}/*.csv'"
    return "is no regular file" if path.exists() else "matches no file"
