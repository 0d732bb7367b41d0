"""The rejects of a run as a file, a JSON object a line, drawn from the ledger: a second writing is the same file."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import orjson

from etl.staging.ledger import StagingLedger

DEFAULT_DIRECTORY = Path(".data/rejects")


def write_reject_file(ledger: StagingLedger, run_id: str, directory: Path | None = None) -> Path | None:
    """None where nothing was rejected."""
    rejects = ledger.rejects(run_id)
    first = next(rejects, None)
    if first is None:
        return None
    folder = directory or DEFAULT_DIRECTORY
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{run_id}.ndjson"
    unfinished = path.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        for reject in chain((first,), rejects):
            file.write(orjson.dumps(reject) + b"\n")
    unfinished.replace(path)
    return path
