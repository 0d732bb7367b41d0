"""Who is told of what: the block `alerts` of etl.yaml. A channel's URL holds secrets, so a variable gives it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr

from etl.config.document import Node, read_document, telling
from etl.config.durations import Duration
from etl.config.frozen import FrozenModel, listed
from etl.config.limits import Limit
from etl.config.validation import unknown_keys, validate
from etl.errors import ConfigurationError, Fault
from etl.nearest import suggestion
from etl.redaction import secrets_in


class AlertKind(StrEnum):
    FAILURE = "failure"
    """A load, or a run, failed. Of the orchestrator: for good, it was not tried again, or not once more."""
    ROWS_MISMATCH = "rows_mismatch"
    """Rows that were read, and those that were stored, do not add up."""
    REJECTS = "rejects"
    """More rows were rejected than `maximum_rejected` allows, or than is usual (`rejects_above`)."""
    SLOW = "slow"
    """A load was much slower than its last ones."""
    STALE_WATERMARK = "stale_watermark"
    """A table's loads succeed and bring nothing newer."""
    NOT_LOADED = "not_loaded"
    """A table was not loaded for so long."""
    LATE = "late"
    """A scheduled run has not started so long after it was due."""
    STUCK = "stuck"
    """An attempt goes on for so long."""
    RECOVERED = "recovered"
    """What was told is well again."""


Tool = Literal["main", "staging", "uploader", "orchestrator"]
TOOLS: tuple[Tool, ...] = ("main", "staging", "uploader", "orchestrator")
KINDS_OF_ORCHESTRATOR = (AlertKind.FAILURE, AlertKind.LATE, AlertKind.STUCK, AlertKind.RECOVERED)
Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(listed)]


class AlertRule(FrozenModel):
    """What goes to a channel: alerts of these kinds, of what is in one of each list that is not empty."""

    on: Annotated[tuple[AlertKind, ...], BeforeValidator(listed), Field(min_length=1)] = tuple(AlertKind)
    channel: str
    tools: Annotated[tuple[Tool, ...], BeforeValidator(listed), Field(min_length=1)] = TOOLS
    layers: Names = ()
    tags: Names = ()
    jobs: Names = ()
    """Layers, tags and jobs are the orchestrator's: a rule with them is of no load."""
    tables: Names = ()
    """Patterns of target tables; a rule with them is of loads alone."""
    destinations: Names = ()
    dedupe: Duration = 30 * 60.0
    """Seconds in which the next alert of the same kind, of the same job or load, is only counted."""

    @property
    def kinds_of_orchestrator(self) -> tuple[AlertKind, ...]:
        """None where the rule is of loads alone."""
        if "orchestrator" not in self.tools or self.tables or self.destinations:
            return ()
        return tuple(kind for kind in self.on if kind in KINDS_OF_ORCHESTRATOR)

    def is_of_loads_of(self, tool: Tool) -> bool:
        return tool in self.tools and not (self.layers or self.tags or self.jobs)

    def fits(self, tool: Tool, kind: AlertKind, table: str | None, destination: str | None) -> bool:
        """Whether it is of this load of a tool other than the orchestrator; without a table, of the run as a whole."""
        return (
            self.is_of_loads_of(tool)
            and kind in self.on
            and (not self.tables or table is None or any(fnmatchcase(table, each) for each in self.tables))
            and (not self.destinations or destination is None or destination in self.destinations)
        )


class LoadLimits(FrozenModel):
    """When a load that did not fail is told of all the same; None: never."""

    rejects_above: Limit | None = None
    """Of the rows read."""
    slow_below: Limit | None = None
    """Of the median of the last loads' rows a second."""
    not_loaded_for: Duration | None = None
    watermark_stands_for: Duration | None = None

    def over(self, others: LoadLimits) -> LoadLimits:
        """These where they are said, else the others."""
        return others.model_copy(update=self.model_dump(exclude_unset=True))


USUAL_LIMITS = LoadLimits(rejects_above="5%", slow_below="30%")


class AlertSettings(FrozenModel):
    channels: Mapping[str, SecretStr | None] = Field(default_factory=dict)
    """A channel without a URL is known and tells nobody."""
    rules: tuple[AlertRule, ...] = ()
    limits: LoadLimits = USUAL_LIMITS
    tables: Mapping[str, LoadLimits] = Field(default_factory=dict)
    """Patterns of target tables, and what is else with them than with the others; a later one comes before."""

    def limits_of(self, table: str) -> LoadLimits:
        limits = self.limits
        for pattern, own in self.tables.items():
            if fnmatchcase(table, pattern):
                limits = own.over(limits)
        return limits

    def rules_of(self, tool: Tool) -> tuple[AlertRule, ...]:
        """Those that can tell of the tool's loads, and whose channel has a URL here."""
        return tuple(rule for rule in self.rules if rule.channel in self.urls and rule.is_of_loads_of(tool))

    @property
    def urls(self) -> dict[str, str]:
        return {name: url.get_secret_value() for name, url in self.channels.items() if url is not None}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Whatever in the URLs may be one, for what masks texts."""
        return tuple(dict.fromkeys(secret for url in self.urls.values() for secret in secrets_in(url)))


def load_alerts(config_dir: Path, environ: Mapping[str, str]) -> AlertSettings:
    """Of a folder's etl.yaml this block alone, for a tool that needs nothing else of it: what is wrong elsewhere, or
    takes variables that are not set here, is not its business. ConfigurationError with every fault of the block."""
    path = config_dir / "etl.yaml"
    if not path.is_file():
        raise ConfigurationError([Fault(str(path), 0, "expected a file whose `alerts` say who is told; found none")])
    document, of_file = read_document(path, environ)
    settings, faults = read_alerts(document)
    block = document.get("alerts")
    if block is not None:
        end = min((node.line for node in document.mapping.values() if node.line > block.line), default=sys.maxsize)
        faults = [*(fault for fault in of_file if block.line <= fault.line < end), *faults]
    elif not document.mapping:  # it could not be read at all
        faults = of_file
    if faults:
        raise ConfigurationError(telling(faults))
    return settings


def read_alerts(document: Node) -> tuple[AlertSettings, list[Fault]]:
    node = document.get("alerts")
    if node is None or node.value is None:
        return AlertSettings(), []
    if not isinstance(node.value, dict):
        return AlertSettings(), [node.fault("alerts must be a mapping of keys")]
    faults = unknown_keys(node, AlertSettings.model_fields, "alerts")
    channels = _channels(node.get("channels"), faults)
    rules = _rules(node.get("rules"), channels, faults)
    limits = _limits(node.get("limits"), "alerts.limits", faults).over(USUAL_LIMITS)
    tables = _limits_of_tables(node.get("tables"), faults)
    return AlertSettings(channels=channels, rules=tuple(rules), limits=limits, tables=tables), faults


def _channels(node: Node | None, faults: list[Fault]) -> dict[str, SecretStr | None]:
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        faults.append(node.fault("alerts.channels: expected a mapping of names to URLs"))
        return {}
    return {name: _url(name, each, faults) for name, each in node.mapping.items()}


def _url(name: str, node: Node, faults: list[Fault]) -> SecretStr | None:
    if node.value is None or node.value == "":
        return None
    if not isinstance(node.value, str):
        faults.append(node.fault(f"alerts.channels.{name}: expected a URL, such as slack://… or mailtos://…"))
    elif not node.from_environment:
        faults.append(node.fault(f"alerts.channels.{name}: its URL is a secret; write ${{NAME}} or ${{NAME:-}}"))
    elif "://" not in node.value:
        faults.append(node.fault(f"alerts.channels.{name}: expected a URL, such as slack://…; found no `://` in it"))
    return SecretStr(str(node.value))


def _rules(node: Node | None, channels: Mapping[str, object], faults: list[Fault]) -> list[AlertRule]:
    if node is None or node.value is None:
        return []
    if not isinstance(node.value, tuple):
        faults.append(node.fault("alerts.rules: expected a list of rules"))
        return []
    return [rule for each in node.value if (rule := _rule(each, channels, faults)) is not None]


def _rule(node: Node, channels: Mapping[str, object], faults: list[Fault]) -> AlertRule | None:
    rule, found = validate(AlertRule, node, {(): AlertRule.model_fields})
    faults += [Fault(fault.file, fault.line, f"alerts.rules: {fault.message}") for fault in found]
    if rule is not None and rule.channel not in channels:
        where = node.get("channel") or node
        faults.append(
            where.fault(f"alerts.rules: unknown channel {rule.channel!r}; {suggestion(rule.channel, channels)}")
        )
    return rule


def _limits_of_tables(node: Node | None, faults: list[Fault]) -> dict[str, LoadLimits]:
    if node is None or node.value is None:
        return {}
    if not isinstance(node.value, dict):
        faults.append(node.fault("alerts.tables: expected a mapping of tables to their limits"))
        return {}
    return {pattern: _limits(each, f"alerts.tables.{pattern}", faults) for pattern, each in node.mapping.items()}


def _limits(node: Node | None, where: str, faults: list[Fault]) -> LoadLimits:
    if node is None or node.value is None:
        return LoadLimits()
    if not isinstance(node.value, dict):
        faults.append(node.fault(f"{where}: expected a mapping of limits"))
        return LoadLimits()
    limits, found = validate(LoadLimits, node, {(): LoadLimits.model_fields})
    if limits is not None and limits.slow_below and not limits.slow_below.endswith("%"):
        found = [(node.get("slow_below") or node).fault("slow_below: expected a share, such as 30%")]
    faults += [Fault(fault.file, fault.line, f"{where}: {fault.message}") for fault in found]
    return limits or LoadLimits()
