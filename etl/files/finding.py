"""Names and patterns → files."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable
from pathlib import Path


def named(pattern: str) -> list[Path]:
    """What is called exactly so, whatever `[` or `*` is in it; else all that match, in the order of their names.

    `**` stands for folders at any depth; names that begin with a dot match only what says the dot. A plain name comes
    whether it is there or not, and what comes need not be a file.
    """
    path = _expanded(pattern)
    if not glob.has_magic(str(path)) or path.is_file():
        return [path]
    # unlike Path.glob it takes absolute patterns
    return [Path(each) for each in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207


def each_once(paths: Iterable[Path]) -> list[Path]:
    """By the first of the names that lead to it: `a`, `./a` and a link to it are one file."""
    found: dict[str, Path] = {}
    for path in paths:
        # unlike Path.resolve it says nothing of links that lead in a circle: they are no files
        found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def _expanded(pattern: str) -> Path:
    try:
        return Path(pattern).expanduser()
    except RuntimeError:  # the `~name` of nobody is a name
        return Path(pattern)
