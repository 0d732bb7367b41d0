"""Options as the manifest keeps them, so that a load can be taken up again as it was meant. There is no secret among
them: the database is another parameter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from etl.ingestion.model import UploadOptions

_CUTTING = ("headers", "csv", "copy_path")
_OF_ONE_CALL = ("files", "resume", "restart", "dry_run", "run_id")
_adapter = TypeAdapter(UploadOptions)


def options_json(options: UploadOptions) -> dict[str, Any]:
    return {name: value for name, value in asdict(options).items() if name not in _OF_ONE_CALL}


def options_from_json(stored: Mapping[str, Any], files: tuple[str, ...]) -> UploadOptions:
    """To load these files again. Raises pydantic's ValidationError for what another version has stored."""
    return _adapter.validate_python({**stored, "files": files})


def cut_otherwise(stored: Mapping[str, Any], options: UploadOptions) -> list[str]:
    """The options by which this call would cut the file into other batches than the stored one did."""
    now = _adapter.dump_python(options, mode="json")
    return [name for name in _CUTTING if now[name] != stored.get(name)]
