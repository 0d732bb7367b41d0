"""The configuration itself: it can be read, its servers go together, and what it names on this machine is there."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

from etl.config.destinations.registry import spec_of
from etl.config.tables.models import FileSource
from etl.doctor.asked import Asked
from etl.doctor.examination import Subject
from etl.doctor.findings import Answer, failed, of_error, ok, some, warning
from etl.errors import UsageError
from etl.files.finding import named


def subject(asked: Asked) -> Subject[Any]:
    checks: dict[str, Callable[[Any], Answer]] = {
        "readable": lambda _: ok(f"{asked.settings.config_dir}: {len(asked.configuration.tables)} tables, no fault"),
        "destinations": lambda _: _destinations(asked),
        "files": lambda _: _files(asked),
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


def _files(asked: Asked) -> Answer:
    """Of sources that are files of this machine; of others, and of alternatives in braces, only Spark knows."""
    paths = {table.name: table.source.path for table in asked.tables if isinstance(table.source, FileSource)}
    here = {name: path for name, path in paths.items() if "://" not in path and "{" not in path}
    missing = [f"{path} ({name})" for name, path in here.items() if not any(each.exists() for each in named(path))]
    if missing:
        return failed(
            f"nothing at {some(missing)}",
            expected=f"files of {len(here)} tables",
            next_step="put them there, or correct `source.path` of these entries",
        )
    if not paths:
        return ok("not needed: no table is read from files")
    elsewhere = len(paths) - len(here)
    return ok(f"those of {len(here)} tables are there" + (f"; not looked for: {elsewhere}" if elsewhere else ""))


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
