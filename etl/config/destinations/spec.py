"""What this house must know of a destination before it touches one: the one value that a destination registers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.frozen import FrozenModel
from etl.config.server_reader import ServerReader
from etl.config.settings import Settings
from etl.config.tables.entry import Entry, Locator
from etl.errors import Fault
from etl.model import Dataset, Destination, Digest


@dataclass(frozen=True)
class Holding:
    """What a store can hold of what a frame can. A row that one chosen store cannot hold goes to none, unless the entry
    says otherwise (`out_of_range`)."""

    first_day: str = "0001-01-01"
    last_day: str = "9999-12-31"
    """Of dates and instants (UTC); Spark wants a sign before a year of more than four digits."""
    takes_nul: bool = True
    """Whether a text may have the character NUL."""
    has_source_types: bool = False
    """Its columns have the source's own PostgreSQL types: what those refuse is refused there, too."""


def _no_table_faults(entry: Entry, load: Any, at: Locator) -> Iterable[Fault]:
    return ()


def _no_column_faults(entry: Entry, load: Any, columns: Sequence[str]) -> Iterable[Fault]:
    return ()


def _holds_all(load: Any, columns: Mapping[str, str]) -> Iterable[str]:
    return ()


def _no_common_faults(entries: Sequence[Entry], settings: Settings) -> Iterable[Fault]:
    return ()


def _no_refusal(settings: Settings) -> None:
    return None


def _own_namespace(server: Any, load: TableLoadConfig) -> Dataset:
    return Dataset(str(load.destination), load.table_name)


@dataclass(frozen=True)
class DestinationSpec:
    """`load_config` is the model of its block in a table's entry, `kinds` the YAML file that says what a table of each
    kind does there, `loader` the loader's class as `module:name`, imported only where the destination is loaded into.
    """

    name: Destination
    load_config: type[TableLoadConfig]
    kinds: Path
    loader: str
    read_server: Callable[[ServerReader], FrozenModel | None]
    """Where its server is, by the environment and etl.yaml; None where neither says so."""
    aliases: tuple[str, ...] = ()
    holds: Holding = Holding()
    digest: Digest = Digest.CRC32
    """Which one of texts and bytes its loader compares; Spark computes no other."""
    table_faults: Callable[[Entry, Any, Locator], Iterable[Fault]] = _no_table_faults
    """Faults of one enabled block that need no schema."""
    column_faults: Callable[[Entry, Any, Sequence[str]], Iterable[Fault]] = _no_column_faults
    """The same once the columns are known that transform leaves."""
    refused_columns: Callable[[Any, Mapping[str, str]], Iterable[str]] = _holds_all
    """What the store cannot hold of these columns (name → PostgreSQL type, empty where transform makes it), and what to
    do, in sentences: asked by `etl config check`, before a run reads the table, and by the loader of its frame."""
    common_faults: Callable[[Sequence[Entry], Settings], Iterable[Fault]] = _no_common_faults
    """Between tables: two that would write into each other's place."""
    require_settings: Callable[[Settings], None] = _no_refusal
    """Raises UsageError where its server and the others do not stand to one another as they must."""
    dataset: Callable[[Any, Any], Dataset] = _own_namespace
    """What lineage calls the target of a load, by its server's settings and the table's block."""
    package: str = ""
    """The installed distribution that brings it; none for those of this house."""
