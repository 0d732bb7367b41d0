"""Which columns a table has on its way, and faults for names that are not among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from etl.config.destinations.load_config import WithDecimals
from etl.config.destinations.registry import known_destinations
from etl.config.tables.column_names import absent, expression_faults, impossible_at_the_source
from etl.config.tables.entry import Entry
from etl.config.tables.models import TransformConfig
from etl.config.tables.modes import replaces_partitions
from etl.config.tables.out_of_range import column_faults as out_of_range_faults
from etl.errors import Fault
from etl.model import HIDDEN, ExtractMode, TableDefinition
from etl.postgresql_types import WATERMARK_TYPES, is_watermark_type

DATE_TYPES = ("date", "timestamp")


def column_faults(entry: Entry, definition: TableDefinition) -> Iterator[Fault]:
    """Every name in the entry that no column has: key, dates, watermark, transform, destinations."""
    config, transform = entry.config, entry.config.transform
    source = list(definition.column_names)
    if names := list(_name_faults(entry, source)):
        yield from names  # each store would say it again
        return
    yield from absent(entry, ("transform", "rename"), transform.rename, source)
    if config.extract.mode is ExtractMode.INCREMENTAL and config.extract.watermark:
        yield from absent(entry, ("extract", "watermark"), [config.extract.watermark], source)
    renamed = [transform.rename.get(name, name) for name in source]
    yield from absent(entry, ("transform", "cast"), transform.cast, renamed)
    yield from absent(entry, ("transform", "default"), transform.default, renamed)
    if not isinstance(transform.trim, bool):
        yield from absent(entry, ("transform", "trim"), transform.trim, renamed)
    yield from _derive_faults(entry, renamed)
    yield from _transform_faults(entry, list(dict.fromkeys([*renamed, *transform.derive])))
    yield from _target_faults(entry, columns_left(config.transform, definition), definition)
    yield from _date_faults(entry, definition)
    yield from _watermark_faults(entry, definition)
    yield from _touched_faults(entry)


def columns_left(transform: TransformConfig, definition: TableDefinition) -> dict[str, str]:
    """The columns that the steps of `transform` leave, but for what a class of the user's adds: name → PostgreSQL type,
    which is empty where a step may have made another of it."""
    renamed = {transform.rename.get(column.name, column.name): column.type for column in definition.columns}
    made = dict.fromkeys([*transform.cast, *transform.hash, *transform.mask, *transform.derive], "")
    kept = {name: kind for name, kind in made.items() if name in renamed or name in transform.derive}
    return {name: kind for name, kind in (renamed | kept).items() if name not in transform.drop}


def _name_faults(entry: Entry, source: Sequence[str]) -> Iterator[Fault]:
    if found := impossible_at_the_source(source):
        yield entry.node.fault(
            f"table {entry.name}: expected column names that differ by more than case and do not begin with {HIDDEN}, "
            f"found {'; '.join(found)}; rename them at the source, or read the table through a view that does"
        )


def _derive_faults(entry: Entry, renamed: list[str]) -> Iterator[Fault]:
    """Each expression may use the columns there are and those derived above it."""
    so_far = list(renamed)
    for name, sql in entry.config.transform.derive.items():
        yield from expression_faults(entry, ("transform", "derive", name), sql, "spark", so_far)
        so_far.append(name)


def _transform_faults(entry: Entry, columns: list[str]) -> Iterator[Fault]:
    transform = entry.config.transform
    for name, names in (
        ("required", transform.required),
        ("allowed", transform.allowed),
        ("normalize_case", transform.normalize_case),
        ("hash", transform.hash),
        ("mask", transform.mask),
        ("drop", transform.drop),
        ("deduplicate", [o.column for o in transform.deduplicate.order_by] if transform.deduplicate else ()),
    ):
        yield from absent(entry, ("transform", name), names, columns)
    expressions = [("rules", rule, sql) for rule, sql in transform.rules.items()]
    for name in set(transform.normalize_case) - set(transform.allowed):
        yield entry.at("transform", "normalize_case").fault(
            f"transform.normalize_case: {name!r} has no list in `allowed` to be spelled after"
        )
    if transform.filter:
        expressions.append(("filter", "", transform.filter))
    if transform.deleted_when:
        expressions.append(("deleted_when", "", transform.deleted_when))
    for step, name, sql in expressions:
        yield from expression_faults(entry, ("transform", step, name), sql, "spark", columns)


def _target_faults(entry: Entry, left: Mapping[str, str], definition: TableDefinition) -> Iterator[Fault]:
    """A transformer class may add columns, so only the key and the date column are sure to be missing then."""
    config, columns = entry.config, list(left)
    yield from absent(entry, ("key",), config.key, columns)
    if config.date_column:
        yield from absent(entry, ("date_column",), [config.date_column], columns)
    if config.transform.transformer:
        return
    for destination, load in config.loads.items():
        for field in load.follows_key:
            if (names := getattr(load, field)) != config.key:
                yield from absent(entry, ("loads", destination, field), names, columns)
        if isinstance(load, WithDecimals) and isinstance(load.numeric_as, dict):
            yield from absent(entry, ("loads", destination, "numeric_as"), load.numeric_as, columns)
        spec = known_destinations()[destination]
        yield from spec.column_faults(entry, load, columns)
        if load.enabled:
            yield from out_of_range_faults(entry, load, left, definition)
            for reason in spec.refused_columns(load, left):
                yield entry.at("loads", destination).fault(f"{destination}: table {entry.name}: {reason}")


def _date_faults(entry: Entry, definition: TableDefinition) -> Iterator[Fault]:
    """What partitions are cut by must be a date or an instant; a column that transform makes or casts is not known."""
    config = entry.config
    made = {*config.transform.derive, *config.transform.cast, *config.transform.rename.values()}
    if config.date_column in made or config.date_column not in definition.column_names:
        return
    found = definition.column(config.date_column).type
    if not found.startswith(DATE_TYPES) or found.endswith("[]"):
        yield entry.at("date_column").fault(
            f"date_column {config.date_column!r} of table {config.name} is {found}; expected a date or timestamp"
        )


def _watermark_faults(entry: Entry, definition: TableDefinition) -> Iterator[Fault]:
    extract = entry.config.extract
    if extract.mode is not ExtractMode.INCREMENTAL or extract.watermark not in definition.column_names:
        return
    found = definition.column(extract.watermark).type
    if not is_watermark_type(found):
        yield entry.at("extract", "watermark").fault(
            f"extract.watermark: {extract.watermark!r} of table {entry.name} is {found}; expected {WATERMARK_TYPES}"
        )


def _touched_faults(entry: Entry) -> Iterator[Fault]:
    """Which partitions new rows touch is asked of the source, before transform: there the dates must be the same."""
    config, transform = entry.config, entry.config.transform
    if config.extract.mode is not ExtractMode.INCREMENTAL or config.date_column is None:
        return
    steps = ("derive", "cast", "default", "mask")
    for step, made in ((step, getattr(transform, step)) for step in steps):
        for destination, load in config.loads.items():
            if config.date_column in made and load.enabled and replaces_partitions(load):
                yield entry.at("transform", step, config.date_column).fault(
                    f"transform.{step}: {config.date_column!r} is the date_column of table {entry.name}, and "
                    f"{destination} replaces whole partitions ({load.mode}): which ones an incremental load touches "
                    "can only be asked of a column of the source; name one as date_column, write "
                    "`extract: {mode: full}` or another mode"
                )
