"""What there is to ask, by the configuration: this machine, each server of a run, and those of the other tools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from importlib import import_module
from typing import Any

from etl.config.destinations.registry import known_destinations, spec_of
from etl.doctor import machine
from etl.doctor.asked import Asked
from etl.doctor.examination import Subject, unasked, unconfigured
from etl.doctor.findings import Answer, of_error, ok, warning
from etl.doctor.postgresql import roles
from etl.errors import UsageError
from etl.model import Destination

_OWN_MODULES = {Destination.CLICKHOUSE: "etl.doctor.clickhouse", Destination.S3: "etl.doctor.s3"}
"""Imported where they are asked: their drivers need not be installed."""


def subjects(asked: Asked) -> Iterator[Subject[Any]]:
    yield _configuration(asked)
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


# --- the configuration ------------------------------------------------------------------------------------------------


def _configuration(asked: Asked) -> Subject[Any]:
    checks = {
        "readable": lambda _: ok(f"{asked.settings.config_dir}: {len(asked.configuration.tables)} tables, no fault"),
        "destinations": lambda _: _destinations(asked),
        "hash_salt": lambda _: _hash_salt(asked),
    }
    return Subject("configuration", checks, nullcontext)


def _destinations(asked: Asked) -> Answer:
    """Whether their servers stand to one another as they must."""
    if not asked.wanted:
        step = 'name one (docs/configuration.md), or for embedded ones eval "$(etl stack env)" after etl stack up'
        return warning("none is configured", expected="at least one", next_step=step)
    for name in asked.wanted:
        if asked.settings.server(name) is not None:
            try:
                spec_of(name).require_settings(asked.settings)
            except UsageError as error:
                return of_error(error)
    return ok(f"{', '.join(asked.wanted)}: {len(asked.tables)} tables to load")


def _hash_salt(asked: Asked) -> Answer:
    hashed = sum(bool(table.transform.hash) for table in asked.tables)
    if not hashed:
        return ok("not needed: no table hashes a column")
    if asked.settings.hash_salt.get_secret_value():
        return ok(f"set; {hashed} tables hash columns")
    return warning(
        f"not set, and {hashed} tables hash columns: who knows the values can find them by trying",
        expected="ETL_HASH_SALT",
        next_step='export ETL_HASH_SALT="$(openssl rand -hex 32)", and keep it: another salt gives other hashes',
    )
