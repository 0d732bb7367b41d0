"""Whether the servers that a run needs are there, and stand to one another as they must; said before it begins."""

from __future__ import annotations

from collections.abc import Collection

from etl.config.destinations.registry import known_destinations, spec_of
from etl.config.settings import Settings
from etl.errors import EtlError, TransientError, UsageError
from etl.load.factory import loader_class
from etl.model import Destination
from etl.report.commands import Commands


def configured_destinations(settings: Settings) -> tuple[Destination, ...]:
    return tuple(name for name in known_destinations() if settings.server(name) is not None)


def require_servers(settings: Settings, wanted: Collection[Destination]) -> None:
    """UsageError for destinations without a server or loader, and for servers that do not go together."""
    if gone := [name for name in wanted if name not in known_destinations()]:
        raise UsageError(f"expected a package that brings destination {', '.join(gone)}, found none; install it")
    missing = [name for name in wanted if settings.server(name) is None]
    if missing or not wanted:
        raise UsageError(
            f"expected servers for {', '.join(missing) or 'at least one destination'}, found none configured; "
            "set their variables or entries in etl.yaml (docs/configuration.md)"
        )
    for name in wanted:
        spec_of(name).require_settings(settings)
        loader_class(name)


def require_databases(settings: Settings, wanted: Collection[Destination], commands: Commands) -> None:
    """What no retry helps is said once, before the run: a database or bucket that is not there, a wrong password.

    A server that does not answer fails its own loads alone, after they have tried for a while.
    """
    faults = []
    for name in wanted:
        try:
            loader_class(name).require_server(settings)
        except TransientError:
            continue
        except EtlError as error:
            faults.append(f"  {name}: {error}")
    if faults:
        more = f"what else a run needs of its servers: {commands.doctor()}"
        raise UsageError(
            "\n".join(["expected destinations that can be loaded into, nothing was begun:", *faults, more])
        )
