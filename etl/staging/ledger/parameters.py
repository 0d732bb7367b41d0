"""What the ledger keeps of a run's configuration, and of the files that it found: these are no configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etl.config.staging.models import CsvFiles, JsonFiles, StagingJob
from etl.names import path_of, stored_name

FILES_READ = "files_read"


def parameters_of(job: StagingJob, files: Sequence[Path] = ()) -> dict[str, Any]:
    """`files`: those that were found for the job's patterns, which may match others when a retry reads on."""
    if isinstance(job.source, JsonFiles | CsvFiles):
        named = job.source.model_copy(update={"path": tuple(map(stored_name, job.source.path))})
        job = job.model_copy(update={"source": named})
    parameters = job.model_dump(mode="json")
    return {**parameters, FILES_READ: [stored_name(each) for each in files]} if files else parameters


def files_read(parameters: Mapping[str, Any]) -> list[Path]:
    """None where it read no files. Runs of earlier versions have their names in the place of the patterns."""
    return [path_of(name) for name in parameters.get(FILES_READ, parameters.get("source", {}).get("path", ()))]
