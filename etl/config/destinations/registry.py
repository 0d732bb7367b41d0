"""The destinations there are: those of this house, then those that installed packages bring as entry points."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from etl.config.destinations.clickhouse.spec import CLICKHOUSE
from etl.config.destinations.postgresql.spec import POSTGRESQL
from etl.config.destinations.s3.spec import S3
from etl.config.destinations.spec import DestinationSpec
from etl.errors import UsageError
from etl.model import Destination
from etl.nearest import suggestion

GROUP = "ownlens_etl.destinations"
"""Of entry points: the destination's name = the module and name of its DestinationSpec."""

BUILT_IN = (S3, POSTGRESQL, CLICKHOUSE)

_NAME = re.compile(r"[a-z][a-z0-9_]*")
RESERVED = frozenset({
    # of etl.yaml, and of what it becomes
    *("source", "ledger", "staging", "staging_schema", "orchestrator", "orchestrator_schema", "alerts", "page"),
    *("lineage", "run", "others", "hash_salt", "mask_key", "config_dir", "source_schema"),
    # of a table's entry
    *("extract", "transform", "kind", "kinds", "defaults", "domain", "key", "date_column", "null_safe_key", "enabled"),
    *("conflict_resolution", "schema_contract", "vanished_rows", "maximum_deleted", "maximum_rejected", "numeric_as"),
    "out_of_range",
})  # fmt: skip
"""Words beside which a destination's name stands."""


@cache
def known_destinations() -> Mapping[Destination, DestinationSpec]:
    """In the order of reports and displays. UsageError names the package that brings something else."""
    found = {spec.name: spec for spec in BUILT_IN}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        spec = _brought(point)
        taken = {name for each in found.values() for name in (each.name, *each.aliases)}
        if clash := sorted(taken & {spec.name, *spec.aliases}):
            raise _unusable(point, f"the name {clash[0]!r} is taken")
        found[spec.name] = spec
    return MappingProxyType(found)


def in_order(names: Iterable[Destination]) -> tuple[Destination, ...]:
    """As they are registered; what no package brings any more comes last."""
    known = list(known_destinations())
    return tuple(sorted(set(names), key=lambda name: (known.index(name) if name in known else len(known), name)))


def parse_destination(name: str) -> Destination:
    """A destination's name or alias, in any case: `s3`, `minio`, `postgresql`, `postgres`, …"""
    names = {word: spec.name for spec in known_destinations().values() for word in (spec.name, *spec.aliases)}
    known = names.get(name.lower())
    if known is None:
        raise UsageError(f"unknown destination {str(name)!r}; {suggestion(name.lower(), names)}")
    return known


def spec_of(name: Destination) -> DestinationSpec:
    return known_destinations()[parse_destination(name)]


def _brought(point: EntryPoint) -> DestinationSpec:
    try:
        spec = point.load()
    except Exception as error:  # whatever a foreign module raises when it is imported
        raise _unusable(point, f"{type(error).__name__}: {error}") from error
    if not isinstance(spec, DestinationSpec):
        raise _unusable(point, f"expected a DestinationSpec, found {type(spec).__name__}")
    if spec.name != point.name:
        raise _unusable(point, f"expected its name, found {str(spec.name)!r}")
    for name in (spec.name, *spec.aliases):
        if not _NAME.fullmatch(name) or name in RESERVED:
            expected = "a name that is no word of YAML, of lower-case letters, digits and _"
            raise _unusable(point, f"expected {expected}, found {str(name)!r}")
    if spec.load_config.model_fields["destination"].default != spec.name:
        raise _unusable(point, f"expected destination {spec.name!r} in {spec.load_config.__name__}")
    if not spec.kinds.is_file():
        raise _unusable(point, f"expected what kinds of tables do there, found no file {spec.kinds}")
    return replace(spec, aliases=tuple(spec.aliases), package=_package(point))


def _unusable(point: EntryPoint, reason: str) -> UsageError:
    return UsageError(
        f"destination {point.name!r} of package {_package(point)} ({point.value}) cannot be used: {reason}; "
        "mend the package, or uninstall it"
    )


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "unknown"
