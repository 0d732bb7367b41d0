"""The whole configuration, read once: every table's entry, the servers, the offline schema. All faults at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import TypeVar

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.registry import parse_destination
from etl.config.document import Node, read_document, telling
from etl.config.servers import read_settings, server_keys
from etl.config.settings import Settings
from etl.config.tables.checks import common_faults, table_faults
from etl.config.tables.columns import column_faults
from etl.config.tables.definitions import definition_of, definitions_of
from etl.config.tables.entries import Layer, built_in_files, layer_of, read_entry
from etl.config.tables.entry import Entry
from etl.config.tables.models import FileSource, PostgreSQLSource, TableConfig
from etl.config.tables.schema import Schema, read_schema
from etl.config.validation import unknown_keys
from etl.errors import ConfigurationError, Fault, UsageError
from etl.model import Destination, TableDefinition
from etl.nearest import suggestion
from etl.project import DEFAULT_CONFIG_DIR

ResultT = TypeVar("ResultT")

_TABLE_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_$-]*$")
_ETL_KEYS = ("source_schema", "defaults", "kinds")
_TABLES_KEYS = ("domain", "defaults", "kinds", "tables")


@dataclass(frozen=True)
class Configuration:
    """What a run may know before it touches a server. `definitions` holds the schemas that are known offline."""

    settings: Settings
    tables: Mapping[str, TableConfig]
    definitions: Mapping[str, TableDefinition]

    def of_run(self, run: str) -> Configuration:
        """The same; sessions of PostgreSQL say for which run they are."""
        return replace(self, settings=self.settings.of_run(run))

    @property
    def enabled_loads(self) -> frozenset[tuple[str, Destination]]:
        """What a run without any choice of its own loads, where all destinations have a server."""
        return frozenset(
            (table.name, destination)
            for table in self.tables.values()
            for destination, load in table.loads.items()
            if load.enabled
        )

    def table(self, name: str) -> TableConfig:
        if name not in self.tables:
            raise UsageError(f"unknown table {name!r}; {suggestion(name, self.tables)}")
        return self.tables[name]

    def get_table_load_config(self, table: str, destination: str) -> TableLoadConfig:
        return self.table(table).loads[parse_destination(destination)]

    def select(
        self, tables: Sequence[str] = (), domains: Sequence[str] = (), exclude: Sequence[str] = ()
    ) -> tuple[TableConfig, ...]:
        """The tables a command line names (all where it names none), in the order of the files."""
        known_domains = {config.domain for config in self.tables.values()}
        for domain in domains:
            if domain not in known_domains:
                raise UsageError(f"unknown domain {domain!r}; {suggestion(domain, known_domains)}")
        named = {self.table(name).name for name in tables}
        excluded = {self.table(name).name for name in exclude}
        everything = not tables and not domains
        return tuple(
            config
            for config in self.tables.values()
            if (everything or config.name in named or config.domain in domains) and config.name not in excluded
        )


def get_table_load_config(table: str, destination: str, configuration: Configuration | None = None) -> TableLoadConfig:
    """How a destination takes a table; without a configuration, the one in conf/ is read."""
    return (configuration or load_configuration()).get_table_load_config(table, destination)


def load_configuration(config_dir: Path | None = None, environ: Mapping[str, str] | None = None) -> Configuration:
    """Read `config_dir` (conf/ where None) and raise ConfigurationError with every fault there is."""
    directory = config_dir or DEFAULT_CONFIG_DIR
    return _Loading(directory, os.environ if environ is None else environ).configuration()


def load_settings(config_dir: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The servers alone, without the tables; raises ConfigurationError with every fault of theirs."""
    loading = _Loading(config_dir or DEFAULT_CONFIG_DIR, os.environ if environ is None else environ)
    return loading.settings()


class _Loading:
    """One reading of a folder: gathers faults until the end, so that a user sees all of them."""

    def __init__(self, config_dir: Path, environ: Mapping[str, str]) -> None:
        self.config_dir = shown_path(config_dir)
        self.environ = environ
        self.faults: list[Fault] = []

    def settings(self) -> Settings:
        settings = self._kept(read_settings(self._etl_document(), self.environ, self.config_dir))
        if self.faults:
            raise ConfigurationError(telling(self.faults))
        return settings

    def configuration(self) -> Configuration:
        document = self._etl_document()
        settings = self._kept(read_settings(document, self.environ, self.config_dir))
        schema = self._schema(document)
        documents = [*(self._read(path) for path in built_in_files()), document]
        layers = [self._kept(layer_of(each)) for each in documents]
        entries = [self._checked(entry, schema) for entry in self._entries(layers, schema)]
        self.faults += common_faults(entries, settings)
        if self.faults:
            raise ConfigurationError(telling(self.faults))
        tables = {entry.name: entry.config for entry in entries}
        return Configuration(settings, MappingProxyType(tables), MappingProxyType(definitions_of(tables)))

    def _kept(self, result: tuple[ResultT, Iterable[Fault]]) -> ResultT:
        value, faults = result
        self.faults += faults
        return value

    def _read(self, path: Path) -> Node:
        return self._kept(read_document(path, self.environ))

    def _etl_document(self) -> Node:
        path = self.config_dir / "etl.yaml"
        document = self._read(path) if path.is_file() else Node({}, str(path), 0)
        self.faults += unknown_keys(document, (*_ETL_KEYS, *server_keys()))
        return document

    def _schema(self, document: Node) -> Schema:
        """`source_schema` names SQL files or folders of them, relative to the configuration's own folder."""
        node = document.get("source_schema")
        if node is None or node.value is None:
            return {}
        paths = []
        for item in node.value if isinstance(node.value, tuple) else (node,):
            path = shown_path(self.config_dir / str(item.value))
            paths.append(path)
            if not path.exists():
                self.faults.append(item.fault(f"source_schema {item.value!r} does not exist; looked for {path}"))
        schema, faults = read_schema(path for path in paths if path.exists())
        self.faults += faults
        return {} if faults else schema  # what half a schema lacks would be said of every table

    def _entries(self, layers: Sequence[Layer], schema: Schema) -> list[Entry]:
        files = sorted([*self.config_dir.glob("tables/*.yaml"), *self.config_dir.glob("tables/*.yml")])
        if not files:
            self.faults.append(Fault(str(self.config_dir / "tables"), 0, "expected at least one *.yaml file of tables"))
        entries: list[Entry] = []
        written: dict[str, Node] = {}
        for file in files:
            for name, domain, node, own in self._written(file):
                if name in written:
                    first = written[name]
                    self.faults.append(node.fault(f"table {name!r} is already given in {first.file}:{first.line}"))
                    continue
                written[name] = node
                entry, faults = read_entry(name, domain, node, [*layers, own], schema)
                self.faults += faults
                entries += [entry] if entry else []
        return entries

    def _written(self, file: Path) -> Iterator[tuple[str, str, Node, Layer]]:
        """The entries of one file with their name, domain and the file's own defaults."""
        document = self._read(file)
        self.faults += unknown_keys(document, _TABLES_KEYS)
        own = self._kept(layer_of(document))
        domain, tables = document.get("domain"), document.get("tables") or document.child({})
        if tables.value is not None and not isinstance(tables.value, dict):
            self.faults.append(tables.fault("tables must be a mapping of names to entries"))
        if domain is not None and (not isinstance(domain.value, str) or not _TABLE_NAME.match(domain.value)):
            self.faults.append(domain.fault(f"domain: expected a name; found {domain.plain()!r}"))
        for name, node in tables.mapping.items():
            if _TABLE_NAME.match(name):
                yield name, str(domain.value) if domain else file.stem, node, own
            else:
                self.faults.append(node.fault(f"table name {name!r}: expected letters, digits, `_`, `$`, `-`"))

    def _checked(self, entry: Entry, schema: Schema) -> Entry:
        definition = definition_of(entry.config, schema)
        source = self._located(entry.config.source)
        known = replace(entry, config=entry.config.model_copy(update={"definition": definition, "source": source}))
        if definition is None and schema and isinstance(source, PostgreSQLSource):
            self.faults.append(_unknown_source(known, source, schema))
        else:
            self.faults += table_faults(known)
            self.faults += column_faults(known, definition) if definition else ()
        return known

    def _located(self, source: PostgreSQLSource | FileSource) -> PostgreSQLSource | FileSource:
        """A relative path starts at the configuration's own folder; a URI (`s3a://…`) stays as it is."""
        if isinstance(source, PostgreSQLSource) or "://" in source.path:
            return source
        path = os.path.normpath(self.config_dir.absolute() / source.path)
        return source.model_copy(update={"path": path})


def shown_path(path: Path) -> Path:
    """As short as a reader at the prompt would write it; faults name files so."""
    absolute = Path(os.path.normpath(path.absolute()))
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute


def _unknown_source(entry: Entry, source: PostgreSQLSource, schema: Schema) -> Fault:
    names = [table for schema_name, table in schema if schema_name == source.schema_name]
    return entry.node.fault(
        f"source_schema has no table {source.table!r} in schema {source.schema_name!r}; "
        f"{suggestion(source.table, names)} A table of another source needs `source: {{columns: …}}`"
    )
