"""Opens files, packed ones as they stream, and puts the file's name into whatever goes wrong."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from etl.errors import SourceError
from etl.files.unpacking import codec_of
from etl.staging.sources.unpacking import Unpacked


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """The file's bytes, unpacked as its name says."""
    with naming(str(path)):
        codec = codec_of(path)
        opened: Any = path.open("rb") if codec is None else Unpacked(path, codec)
        with closing(opened):
            yield cast(BinaryIO, opened)


@contextmanager
def naming(name: str, doing: str = "read") -> Iterator[None]:
    """Errors of reading say which input they are of."""
    try:
        yield
    except SourceError as error:
        raise SourceError(f"{name}: {error.message}") from error
    except OSError as error:  # also pyarrow's of a broken or truncated packed file
        raise SourceError(f"{name} cannot be {doing}: {error.strerror or error}") from error


def fingerprint(path: Path) -> dict[str, int]:
    """What tells that a file has been changed since."""
    with naming(str(path)):
        found = path.stat()
    return {"size": found.st_size, "mtime_ns": found.st_mtime_ns}


def refuse_changed(path: Path, known: dict[str, Any]) -> None:
    if not path.exists():
        raise SourceError(
            f"{path} is gone: expected {_told(known)}, found no file; put it back, or load the input anew"
        )
    found = fingerprint(path)
    if any(known[key] != value for key, value in found.items()):
        raise SourceError(
            f"{path} has been changed since the run read it: expected {_told(known)}, found {_told(found)}; "
            "put the former file back, or load it anew"
        )


def is_readable(path: Path) -> bool:
    return os.access(path, os.R_OK)


def _told(known: dict[str, Any]) -> str:
    written = datetime.fromtimestamp(known["mtime_ns"] / 1e9, UTC)
    return f"{known['size']:,} bytes, written {written:%Y-%m-%d %H:%M:%S.%f} UTC"
