"""Who is told of what: the block `alerts` of etl.yaml. A channel's URL holds secrets, so a variable gives it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field, SecretStr

from etl.config.document import Node
from etl.config.durations import Duration
from etl.config.frozen import FrozenModel, listed
from etl.config.validation import unknown_keys, validate
from etl.errors import Fault
from etl.nearest import suggestion
from etl.redaction import secrets_in


class AlertKind(StrEnum):
    FAILURE = "failure"
    """A run failed for good: it was not tried again, or not once more."""
    LATE = "late"
    """A scheduled run has not started so long after it was due."""
    STUCK = "stuck"
    """An attempt goes on for so long."""
    RECOVERED = "recovered"
    """A job succeeded whose failure was told."""


Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], BeforeValidator(listed)]


class AlertRule(FrozenModel):
    """What goes to a channel: alerts of these kinds, of jobs that are in one of each list that is not empty."""

    on: Annotated[tuple[AlertKind, ...], BeforeValidator(listed), Field(min_length=1)] = tuple(AlertKind)
    channel: str
    layers: Names = ()
    tags: Names = ()
    jobs: Names = ()
    dedupe: Duration = 30 * 60.0
    """Seconds in which a job's next alert of the same kind is only counted."""


class AlertSettings(FrozenModel):
    channels: Mapping[str, SecretStr | None] = Field(default_factory=dict)
    """A channel without a URL is known and tells nobody."""
    rules: tuple[AlertRule, ...] = ()

    @property
    def urls(self) -> dict[str, str]:
        return {name: url.get_secret_value() for name, url in self.channels.items() if url is not None}

    @property
    def secrets(self) -> tuple[str, ...]:
        """Whatever in the URLs may be one, for what masks texts."""
        return tuple(dict.fromkeys(secret for url in self.urls.values() for secret in secrets_in(url)))


def read_alerts(document: Node) -> tuple[AlertSettings, list[Fault]]:
    node = document.get("alerts")
    if node is None or node.value is None:
        return AlertSettings(), []
    if not isinstance(node.value, dict):
        return AlertSettings(), [node.fault("alerts must be a mapping of keys")]
    faults = unknown_keys(node, AlertSettings.model_fields, "alerts")
    channels = _channels(node.get("channels"), faults)
    rules = _rules(node.get("rules"), channels, faults)
    return AlertSettings(channels=channels, rules=tuple(rules)), faults


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
