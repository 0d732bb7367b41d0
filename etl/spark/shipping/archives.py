"""Archives for the executors, each made once: its name says what it was made from, and the next run finds it.

ZIP, since Spark unpacks it by itself; for a tarball it starts bash, tar and gzip, which a worker without PATH lacks.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from importlib.metadata import Distribution
from pathlib import Path

import structlog

from etl.files.writing import whole
from etl.project import PROJECT_DIR, ivy_dir
from etl.spark.shipping.packages import files_of, shipped_packages

ENVIRONMENT = "environment"
"""The folder that executors find the packages in, below the one they work in."""
PROJECT = "ownlens-etl"
"""The folder of a driver that runs on one of the cluster's machines."""
SHIPPED_PYTHON = f"./{ENVIRONMENT}/bin/python"

_SHORT_VERSION = ".".join(map(str, sys.version_info[:2]))
_EXECUTABLE = 0o755 << 16
_LEFT_OUT = frozenset({"__pycache__", "page"})
_KEPT_SECONDS = 30 * 24 * 3600

log = structlog.get_logger(__name__)

Fill = Callable[[zipfile.ZipFile], None]


def environment_archive(also: Iterable[str] = ()) -> Path:
    """The packages, and bin/python, which starts the machine's own Python with them."""
    packages = shipped_packages(also)
    installed = "\n".join(f"{name} {each.read_text('RECORD')}" for name, each in packages.items())
    return _made_once(ENVIRONMENT, [_launcher(), sys.platform, installed], lambda file: _fill(file, packages))


def code_archive(package: Path = PROJECT_DIR / "etl") -> Path:
    """Our own package, to be imported from as it is."""
    sources = {file.relative_to(package.parent): file.read_text("utf-8") for file in sorted(package.rglob("*.py"))}

    def fill(file: zipfile.ZipFile) -> None:
        for name, text in sources.items():
            file.writestr(str(name), text)

    return _made_once("etl", [f"{name}\n{text}" for name, text in sources.items()], fill)


def project_archive(folders: Iterable[str] = ("etl", "conf", "jobs", "sql")) -> Path:
    """All that a driver elsewhere runs, to be unpacked: it reads configuration and statements from files."""
    found = (file for name in folders for file in sorted((PROJECT_DIR / name).rglob("*")) if file.is_file())
    files = {file.relative_to(PROJECT_DIR): file.read_bytes() for file in found}
    kept = {str(place): content for place, content in files.items() if not _LEFT_OUT.intersection(place.parts)}

    def fill(file: zipfile.ZipFile) -> None:
        for place, content in kept.items():
            file.writestr(place, content)

    return _made_once(PROJECT, [f"{place} {content!r}" for place, content in kept.items()], fill)


def _fill(file: zipfile.ZipFile, packages: Mapping[str, Distribution]) -> None:
    launcher = zipfile.ZipInfo("bin/python")
    launcher.external_attr = _EXECUTABLE
    file.writestr(launcher, _launcher())
    for package in packages.values():
        for source, place in files_of(package):
            file.write(source, f"packages/{place}")


def _launcher() -> str:
    text = Path(__file__).with_name("python.sh").read_text(encoding="utf-8")
    return text.replace("@VERSION@", _SHORT_VERSION)


def _made_once(name: str, content: Iterable[str], fill: Fill) -> Path:
    identity = hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]
    folder = ivy_dir() / "executors"
    archive = folder / f"{name}-{identity}.zip"
    if not archive.exists():
        folder.mkdir(parents=True, exist_ok=True)
        # quick: the network between machines is faster than a compressor that squeezes out the last tenth
        with whole(archive) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
            fill(packed)
        _remove_unused(folder, name)
        log.info("archive made for the executors", archive=str(archive), megabytes=archive.stat().st_size >> 20)
    with suppress(PermissionError):  # somebody else's, who has made it for all
        os.utime(archive)
    return archive


def _remove_unused(folder: Path, name: str) -> None:
    """Not at once: executors that come late still fetch what their run began with."""
    for old in folder.glob(f"{name}-*.zip"):
        if old.stat().st_mtime < time.time() - _KEPT_SECONDS:
            old.unlink(missing_ok=True)
