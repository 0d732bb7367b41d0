"""A destination that another package brings: installed apart, found by its entry point."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

PACKAGE = Path(__file__).with_name("ownlens-etl-duckdb")
# it has tests of its own, which run where it is installed
collect_ignore = [PACKAGE.name]


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy, so that building leaves nothing in this repository."""
    return Path(shutil.copytree(PACKAGE, tmp_path_factory.mktemp("plugin") / PACKAGE.name))


@pytest.fixture(scope="session")
def installed(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip has installed it into; beside this environment, not in it."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--disable-pip-version-check"]
    # environments of newer Pythons have no setuptools; pip fetches it then
    options += ["--no-build-isolation"] if find_spec("setuptools") else []
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", folder, source], check=True)
    return folder
