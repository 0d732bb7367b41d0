"""The lake's write modes: what each does with a frame and a table, in whatever format that is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.modes import deletes_vanished
from etl.load.existing import Existing, leave_existing, refuse_existing
from etl.load.s3.job import Job
from etl.load.s3.modes.add import add
from etl.load.s3.modes.overwrite import overwrite
from etl.load.s3.modes.overwrite_partitions import overwrite_partitions
from etl.load.s3.table import LakeTable
from etl.model import LoadResult, WriteMode


@dataclass(frozen=True)
class Mode:
    """`write` decides what differs, has it published, and says what that amounts to."""

    write: Callable[[Job, LakeTable], LoadResult]
    existing: Existing | None = None


MODES: dict[WriteMode, Mode] = {
    WriteMode.APPEND: Mode(add),
    WriteMode.MERGE: Mode(add),
    WriteMode.OVERWRITE: Mode(overwrite),
    WriteMode.OVERWRITE_PARTITIONS: Mode(overwrite_partitions),
    WriteMode.IGNORE: Mode(overwrite, leave_existing),
    WriteMode.ERROR: Mode(overwrite, refuse_existing),
}


def mode_of(config: S3TableLoadConfig) -> Mode:
    """A load that leaves no row but its own overwrites, whatever it is called."""
    return MODES[WriteMode.OVERWRITE if deletes_vanished(config) else config.mode]
