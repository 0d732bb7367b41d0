"""From a destination's name to its loader."""

from __future__ import annotations

from collections.abc import Iterable
from pkgutil import resolve_name
from typing import Any

from pyspark.sql import SparkSession

from etl.config.destinations.registry import parse_destination, spec_of
from etl.config.settings import Settings
from etl.errors import UsageError
from etl.load.base import BaseLoader, LoaderConfig
from etl.model import Destination


def loader_class(destination: Destination) -> type[BaseLoader[Any]]:
    """UsageError names the package whose loader cannot be imported."""
    spec = spec_of(destination)
    try:
        found: type[BaseLoader[Any]] = resolve_name(spec.loader)
    except Exception as error:  # whatever a foreign module raises when it is imported
        raise UsageError(
            f"the loader of destination {spec.name} ({spec.loader}, package {spec.package or 'ownlens-etl'}) cannot be "
            f"imported: {type(error).__name__}: {error}; install what it needs, or mend the package"
        ) from error
    return found


def loader_modules(destinations: Iterable[Destination]) -> list[str]:
    """What executors must be able to import."""
    return [spec_of(each).loader.partition(":")[0] for each in destinations]


class LoaderFactory:
    @staticmethod
    def get_loader(
        destination: str, spark: SparkSession, config: Settings, loader_config: LoaderConfig
    ) -> BaseLoader[Any]:
        """A loader for one destination, by name or alias; refuses a destination whose server is not configured."""
        name = parse_destination(destination)
        if config.server(name) is None:
            raise UsageError(
                f"destination {name} was asked for but no server is configured; "
                "set its variables (docs/configuration.md) or its entry in etl.yaml"
            )
        return loader_class(name)(spark, loader_config)
