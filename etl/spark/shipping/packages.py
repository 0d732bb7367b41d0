"""The Python packages that the main job runs on, with whatever they need themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution, PackageNotFoundError, PackagePath, distribution, entry_points
from pathlib import Path

from etl.config.destinations.registry import GROUP
from etl.errors import UsageError

OF_THE_JOB = (
    "boto3",
    "delta-spark",
    "jsonschema-rs",
    "numpy",
    "orjson",
    "pgpq",
    "prometheus-client",
    "psutil",
    "psycopg2-binary",
    "pyarrow",
    "pydantic",
    "pyyaml",
    "rich",
    "sqlglot",
    "structlog",
    "tenacity",
    "typer",
    "urllib3",
    "xxhash",
)
"""What the main job imports, be it on an executor or, with --deploy-mode cluster, as the driver (a test asks it)."""

OF_A_DRIVER = ("deltalake", "pandas")
"""What the driver alone needs (of pandas Spark says so, though it is not used): workers are smaller without."""

_NEVER = frozenset({"ownlens-etl", "pyspark", "py4j"})
"""Our code is an archive of its own; Spark is on every machine of its cluster."""
_NOT_NEEDED = frozenset({"__pycache__", "tests", "include", ".."})
_NOT_RUN = frozenset({".pyi", ".pxd", ".pxi", ".pyx", ".a", ".h"})


def shipped_packages(also: Iterable[str] = ()) -> Mapping[str, Distribution]:
    """Normalised name → package, with those that bring destinations of their own."""
    brought = [point.dist.name for point in entry_points(group=GROUP) if point.dist]
    found: dict[str, Distribution] = {}
    _add([*OF_THE_JOB, *brought, *also], found)
    return {name: each for name, each in sorted(found.items()) if name not in _NEVER}


def files_of(package: Distribution) -> Iterator[tuple[Path, PackagePath]]:
    """Where a file lies, and where below the packages' folder it belongs: no tests, headers or commands."""
    for file in package.files or ():
        if not _NOT_NEEDED.intersection(file.parts) and file.suffix not in _NOT_RUN:
            yield Path(str(package.locate_file(file))), file


def _add(names: Iterable[str], found: dict[str, Distribution]) -> None:
    for name in names:
        known_as = re.sub(r"[-_.]+", "-", name).lower()
        if known_as in found:
            continue
        try:
            found[known_as] = distribution(name)
        except PackageNotFoundError as error:
            raise UsageError(f"expected the package {name}, which the job needs, found it not installed") from error
        if known_as not in _NEVER:
            _add(_needs(found[known_as]), found)


def _needs(package: Distribution) -> Iterator[str]:
    """What is needed on other systems, too, is not among what is installed here."""
    for text in package.requires or ():
        requirement, _, marker = text.partition(";")
        name = re.split(r"[^\w.-]", requirement.strip(), maxsplit=1)[0]
        if "extra" not in marker and (not marker or _is_installed(name)):
            yield name


def _is_installed(name: str) -> bool:
    return next(iter(Distribution.discover(name=name)), None) is not None
