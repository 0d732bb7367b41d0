"""Patterns → the files to load, each once, and what kind of file each is."""

from __future__ import annotations

import glob
from collections.abc import Iterable
from pathlib import Path

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
    """(files, faults): in the patterns' order and by name within each; a file that several name comes once.

    `**` stands for folders at any depth. What exists under just this name is that file, whatever `[` or `*` is in it.
    """
    files: dict[Path, str] = {}
    faults = []
    for pattern in patterns:
        found, fault = _matches(pattern)
        for path in found:
            files.setdefault(Path(path).resolve(), path)
        if fault:
            faults.append(f"--files {pattern!r}: {fault}")
    return list(files.values()), faults


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


def _matches(pattern: str) -> tuple[list[str], str | None]:
    path = Path(pattern).expanduser()
    if path.is_file():
        return [str(path)], None
    if path.is_dir():
        return [], f"is a folder; expected a file or a pattern such as '{pattern.rstrip('/')}/*.csv'"
    if path.exists():
        return [], "is no regular file"
    # Path.glob knows no absolute patterns
    found = [each for each in sorted(glob.glob(str(path), recursive=True)) if Path(each).is_file()]  # noqa: PTH207
    return found, None if found else "matches no file"
