"""What the lake refuses, said before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import itemgetter

from etl.config.destinations.s3.load_config import SAFE_VACUUM_HOURS, S3TableLoadConfig
from etl.config.settings import Settings
from etl.config.tables.column_names import same_but_for_case
from etl.config.tables.entry import Entry, Locator
from etl.config.tables.modes import MODES
from etl.errors import Fault
from etl.model import PARTITION_DATE, Destination, Maintenance

_SEGMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*$")


def table_faults(entry: Entry, load: S3TableLoadConfig, at: Locator) -> Iterator[Fault]:
    if not all(_SEGMENT.match(segment) for segment in load.path.split("/")):
        yield at("path").fault(f"s3.path {load.path!r}: expected names of letters, digits, `.`, `_`, `-` joined by `/`")
    if load.partition_by not in ((), (PARTITION_DATE,)):
        yield at("partition_by").fault(f"s3.partition_by can only be {PARTITION_DATE} (the day of date_column)")
    if load.partition_by and not load.date_column:
        yield at("partition_by").fault(f"s3.partition_by: table {entry.name} has no date_column to partition by")
    if load.would_update_files:
        yield at("mode").fault(
            f"s3.mode append: rows of {load.format} files cannot be updated in place; "
            "set conflict_resolution to error or skip, or format to delta"
        )
    if MODES[load.mode].needs_partitions and not load.partition_by:
        yield at("mode").fault(f"s3.mode {load.mode} needs `partition_by: {PARTITION_DATE}`")
    if load.retention_days and not load.partition_by:
        yield at("retention_days").fault("s3.retention_days deletes expired partitions and needs partition_by")
    if load.effective_maintenance is not Maintenance.NEVER and load.vacuum_hours < SAFE_VACUUM_HOURS:
        yield at("vacuum_hours").fault(
            f"s3.vacuum_hours {load.vacuum_hours}: readers of an older version would fail; with s3.maintenance "
            f"{load.maintenance} it is {SAFE_VACUUM_HOURS} at least (`etl lake vacuum --even-if-unsafe` takes less)"
        )


def refused_columns(load: S3TableLoadConfig, columns: Mapping[str, str]) -> Iterator[str]:
    # Delta takes them by column mapping alone, which many readers lack
    if illegal := [name for name in columns if load.facts.illegal_in_names.intersection(name)]:
        yield (
            f"format {load.format} has no names with blanks or any of ,;{{}}()=, found "
            f"{', '.join(map(repr, illegal))}; rename them in transform, or choose format: parquet"
        )
    for one, *others in same_but_for_case(columns):
        yield f"{' and '.join(map(repr, [one, *others]))} differ in case only; rename them in transform"
    if taken := [name for name in columns if name.casefold() == PARTITION_DATE]:
        yield f"{taken[0]} is the name of the lake's own partition column; rename it in transform"


def path_collisions(entries: Sequence[Entry], settings: Settings) -> Iterator[Fault]:
    """Sorted by their segments, a path stands directly before those within it."""
    outer: list[tuple[list[str], Entry]] = []
    for segments, entry in sorted(_paths(entries), key=itemgetter(0)):
        while outer and segments[: len(outer[-1][0])] != outer[-1][0]:
            outer.pop()
        if outer:
            other = outer[-1][1]
            relation = "is also" if segments == outer[-1][0] else f"lies within {'/'.join(outer[-1][0])!r},"
            yield entry.at("loads", Destination.S3, "path").fault(
                f"s3.path {'/'.join(segments)!r} of table {entry.name} {relation} the path of table {other.name}: "
                "overwriting one would delete the other"
            )
        outer.append((segments, entry))


def _paths(entries: Iterable[Entry]) -> Iterator[tuple[list[str], Entry]]:
    for entry in entries:
        load = entry.config.loads.get(Destination.S3)
        if isinstance(load, S3TableLoadConfig) and load.enabled:
            yield load.path.split("/"), entry
