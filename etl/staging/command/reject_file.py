"""The rejects of a run as a file, a JSON object a line, drawn from the ledger: a second writing is the same file."""

from __future__ import annotations

import os
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import orjson
import structlog

from etl.errors import EtlError, UsageError
from etl.files.writing import whole
from etl.staging.ledger.ledger import StagingLedger
from etl.staging.ledger.values import RejectedRecord

DEFAULT_DIRECTORY = Path(".data/rejects")

log = structlog.get_logger(__name__)


def check_reject_directory(directory: Path | None) -> None:
    """Before a run begins; the folder is made when there is something to put into it."""
    folder = (directory or DEFAULT_DIRECTORY).absolute()
    standing = next(path for path in (folder, *folder.parents) if path.exists())
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        raise UsageError(
            f"rejected records cannot be written to {folder}: expected a folder that this user may write to, "
            f"found {standing}; name another with --reject-dir"
        )


def write_reject_file(ledger: StagingLedger, run_id: str, directory: Path | None = None) -> Path | None:
    """None where nothing was rejected, or where disk or server would not have it: the ledger has them as well."""
    path = (directory or DEFAULT_DIRECTORY) / f"{run_id}.ndjson"
    try:
        rejects = ledger.rejects(run_id)
        first = next(rejects, None)
        if first is None:
            return None
        _write(path, chain((first,), rejects))
    except (OSError, EtlError) as error:
        log.warning("rejects not written", run_id=run_id, file=str(path), error=str(error))
        return None
    return path


def _write(path: Path, rejects: Iterable[RejectedRecord]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        for reject in rejects:
            file.write(orjson.dumps(reject) + b"\n")
