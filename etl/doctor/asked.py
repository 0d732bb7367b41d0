"""What the command was asked about: a configuration, and which destinations of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etl.config.configuration import Configuration
from etl.config.destinations.registry import known_destinations
from etl.config.settings import Settings
from etl.config.tables.models import TableConfig
from etl.doctor.examination import Clock
from etl.model import Destination


@dataclass(frozen=True)
class Asked:
    """`named`: the destinations of the command line; none: those that are configured."""

    configuration: Configuration
    named: Sequence[Destination]
    environ: Mapping[str, str]
    clock: Clock

    @property
    def settings(self) -> Settings:
        return self.configuration.settings

    @property
    def wanted(self) -> list[Destination]:
        return list(self.named) or [name for name in known_destinations() if self.settings.server(name) is not None]

    @property
    def tables(self) -> list[TableConfig]:
        """Those that a run would read."""
        into = self.wanted or list(known_destinations())
        tables = self.configuration.tables.values()
        return [table for table in tables if any(table.loads[name].enabled for name in into)]

    def loads(self, name: Destination) -> list[Any]:
        """How the destination takes them, each as its own model says."""
        return [table.loads[name] for table in self.tables if table.loads[name].enabled]
