"""Local files that Java does not see: names whose bytes its encoding has no letters for. It passes them over silently.

Where Java runs in the C locale that is every name beyond ASCII; in UTF-8 the names that are not UTF-8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from etl.errors import SourceError
from etl.names import is_readable, readable

_PATTERN = re.compile(r"[{}\[\]*?]")
_SHOWN = 5


def refuse_unseen(jvm: Any, file_system: Any, root: Any) -> None:
    """Raises SourceError for files at `root`, a file, folder or pattern, that Java's listing of it lacks."""
    if file_system.getUri().getScheme() != "file":
        return
    unseen = sorted({*_by_pattern(jvm, file_system, root), *_below(jvm, file_system, root)})
    encoding = jvm.java.lang.System.getProperty("sun.jnu.encoding")
    faults = [
        *_fault([path for path in unseen if not is_readable(str(path))], "that is not UTF-8: rename it"),
        *_fault(
            [path for path in unseen if is_readable(str(path))],
            f"beyond Java's encoding {encoding}: start it with LC_ALL=C.UTF-8 in the environment",
        ),
    ]
    if faults:
        raise SourceError("; ".join(faults))


def _fault(paths: list[Path], reason: str) -> list[str]:
    if not paths:
        return []
    names = ", ".join(readable(str(path)) for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return [f"{names}{more}: Spark does not see a name {reason}"]


def _by_pattern(jvm: Any, file_system: Any, root: Any) -> Iterator[Path]:
    """What each component with a wildcard would match."""
    while root is not None and root.getParent() is not None:
        name = root.getName()
        if _PATTERN.search(name):
            pattern = jvm.org.apache.hadoop.fs.GlobPattern(name)
            for folder in file_system.globStatus(root.getParent()) or []:
                yield from (
                    path for path in _lacking(jvm, file_system, _local(folder)) if pattern.matches(_in_java(path.name))
                )
        root = root.getParent()


def _below(jvm: Any, file_system: Any, root: Any) -> Iterator[Path]:
    for found in file_system.globStatus(root) or []:
        for folder, _, _ in os.walk(_local(found)):
            yield from _lacking(jvm, file_system, Path(folder))


def _lacking(jvm: Any, file_system: Any, folder: Path) -> Iterator[Path]:
    """Java is asked only where a name may be beyond it."""
    odd = [
        entry.name for entry in _entries(folder) if not entry.name.isascii() and not entry.name.startswith((".", "_"))
    ]
    if not odd:
        return
    if not is_readable(str(folder)):
        yield from (folder / name for name in odd)
        return
    seen = {status.getPath().getName() for status in file_system.listStatus(jvm.org.apache.hadoop.fs.Path(str(folder)))}
    yield from (folder / name for name in odd if name not in seen)


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:  # no folder, or none that may be read: the listing says so
        return []


def _local(status: Any) -> Path:
    return Path(status.getPath().toUri().getPath())


def _in_java(name: str) -> str:
    """Java's replacement for what it cannot read, so that a wildcard matches it."""
    return re.sub(r"[\ud800-\udfff]", "\ufffd", name)
