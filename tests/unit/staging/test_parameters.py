"""Of a run's parameters: its configuration, and the files that it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etl.config.staging.models import JsonFiles, StagingJob
from etl.staging.ledger.parameters import files_read, parameters_of

BROKEN = "in/\udce9.ndjson"
"""As the shell gives a name that is not UTF-8."""
FILES = JsonFiles(type="ndjson", path=("in/*",)).model_copy(update={"path": ("in/*", BROKEN)})
JOB = StagingJob(id="events", target_table="stg_events", source=FILES, source_id="id")


def test_files_are_kept_beside_the_configuration_and_found_again() -> None:
    files = [Path("in/a.ndjson"), Path(BROKEN)]
    parameters = parameters_of(JOB, files)
    assert parameters["source"]["path"] == ["in/*", r"in/\xe9.ndjson"]
    assert files_read(parameters) == files
    assert "files_read" not in parameters_of(JOB)


@pytest.mark.parametrize(
    ("parameters", "files"),
    [
        ({"source": {"type": "ndjson", "path": ["a", r"\xe9"]}}, [Path("a"), Path("\udce9")]),
        ({"source": {}}, []),
        ({}, []),
    ],
)
def test_earlier_versions_named_the_files_in_the_source(parameters: dict[str, Any], files: list[Path]) -> None:
    assert files_read(parameters) == files
