"""This machine: Python, Java, and the folders that a run writes into."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from etl.doctor.examination import STATEMENT_SECONDS, Subject
from etl.doctor.findings import Answer, failed, ok, warning
from etl.doctor.packages import delta, python_packages, spark_packages
from etl.project import log_dir
from etl.spark.defaults import read_spark_defaults

OLDEST_PYTHON, NEWEST_PYTHON = (3, 11), (3, 14)
OLDEST_JAVA = 17

_JAVA_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_NONE_BYTES, _LITTLE_BYTES = 200 * 2**20, 5 * 2**30


def subject(environ: Mapping[str, str]) -> Subject[Any]:
    checks: dict[str, Callable[[Any], Answer]] = {
        "python": lambda _: python(sys.version_info[:2]),
        "packages": lambda _: python_packages(),
        "java": lambda _: java(environ),
        "delta": lambda _: delta(),
        "spark_packages": lambda _: spark_packages(),
        **{name: _folder(path, setting) for name, (path, setting) in _folders(environ).items()},
    }
    return Subject("machine", checks, nullcontext)


def python(found: tuple[int, int]) -> Answer:
    written, wanted = ".".join(map(str, found)), "Python 3.11 to 3.14"
    if found < OLDEST_PYTHON:
        return failed(written, expected=wanted, next_step="PYTHON=/path/to/python3.12 scripts/setup.sh")
    if found > NEWEST_PYTHON:
        return warning(written, expected=f"{wanted}, which is tested", next_step="PYTHON=python3.14 scripts/setup.sh")
    return ok(f"{written} at {sys.executable}")


def java(environ: Mapping[str, str]) -> Answer:
    """The one that Spark will start: JAVA_HOME's where that is set, else the one on PATH."""
    home, wanted = environ.get("JAVA_HOME"), f"Java {OLDEST_JAVA} or newer (a JRE is enough)"
    program = str(Path(home) / "bin" / "java") if home else shutil.which("java", path=environ.get("PATH"))
    step = "install one (Debian: apt install openjdk-17-jre-headless), or name another in JAVA_HOME"
    if not program:
        return failed("none on PATH, and no JAVA_HOME", expected=wanted, next_step=step)
    try:
        said = subprocess.run(
            [program, "-version"], capture_output=True, text=True, timeout=STATEMENT_SECONDS, check=True
        ).stderr
    except (OSError, subprocess.SubprocessError) as error:
        return failed(f"{program} cannot be run: {error}", expected=wanted, next_step=step)
    version = _JAVA_VERSION.search(said)
    first_line = said.splitlines()[0] if said else "nothing"
    if version is None or int(version[1]) < OLDEST_JAVA:
        return failed(f"{program} says {first_line}", expected=wanted, next_step=step)
    return ok(f"{version[1]} at {program}")


def _folders(environ: Mapping[str, str]) -> dict[str, tuple[Path, str]]:
    temporary = Path(tempfile.gettempdir())
    local = environ.get("SPARK_LOCAL_DIRS") or read_spark_defaults().get("spark.local.dir") or str(temporary)
    return {
        "spark_local_dir": (Path(local.split(",")[0]), "SPARK_LOCAL_DIRS"),
        "temporary": (temporary, "TMPDIR"),
        "logs": (log_dir(), "ETL_LOG_DIR"),
    }


def _folder(path: Path, setting: str) -> Callable[[Any], Answer]:
    return lambda _: folder(path, setting)


def folder(path: Path, setting: str) -> Answer:
    """Can be written to, or be made, with room on its disk; nothing is made here."""
    standing = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    name = f"another folder in {setting}"
    if not standing.is_dir() or not os.access(standing, os.W_OK | os.X_OK):
        return failed(f"{path} cannot be written to by this user", next_step=f"chown or chmod it, or {name}")
    usage = shutil.disk_usage(standing)
    found = f"{usage.free / 2**30:,.1f} GiB free in {path}"
    if usage.free < _NONE_BYTES:
        return failed(found, expected="some GiB", next_step=f"free space there, or {name}")
    if usage.free < _LITTLE_BYTES:
        return warning(
            found, expected="5 GiB, for a shuffle of a large table", next_step=f"free space there, or {name}"
        )
    return ok(found)
