"""What there is to ask, by the configuration: this machine, each server of a run, and those of the other tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module
from typing import Any

from etl.config.destinations.registry import known_destinations, spec_of
from etl.doctor import configuration, machine
from etl.doctor.asked import Asked
from etl.doctor.examination import Subject, unasked, unconfigured
from etl.doctor.findings import Answer, ok
from etl.doctor.postgresql import roles
from etl.model import Destination

_OWN_MODULES = {Destination.CLICKHOUSE: "etl.doctor.clickhouse", Destination.S3: "etl.doctor.s3"}
"""Imported where they are asked: their drivers need not be installed."""


def subjects(asked: Asked) -> Iterator[Subject[Any]]:
    yield configuration.subject(asked)
    yield machine.subject(asked.environ)
    yield from roles.subjects(asked)
    for name in known_destinations():
        if name != Destination.POSTGRESQL:
            yield _destination(asked, name)


def _destination(asked: Asked, name: Destination) -> Subject[Any]:
    setting = f"its variables, or `{name}` in etl.yaml (docs/configuration.md)"
    if name not in asked.wanted and asked.named:
        return unasked(name, "not among --load-destinations")
    server = asked.settings.server(name)
    if server is None:
        return unconfigured(name, setting, is_missed=name in asked.named)
    if name not in _OWN_MODULES:
        return _of_a_package(asked, name)
    try:
        module = import_module(_OWN_MODULES[name])
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        return unasked(name, f"{missing} is not installed", "scripts/setup.sh")
    found: Subject[Any] = module.subject(server, asked.loads(name), asked.clock)
    return found


def _of_a_package(asked: Asked, name: Destination) -> Subject[Any]:
    """What its own loader asks before a run begins."""

    def look(_: object) -> Answer:
        from etl.load.factory import loader_class  # with Spark

        loader_class(name).require_server(asked.settings)
        return ok(f"what its loader asks before a run holds ({spec_of(name).package})")

    return Subject(name, {"connection": look}, nullcontext)
