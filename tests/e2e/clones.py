"""A clone of what is committed, on a machine without Java; and README's commands in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from etl.project import PROJECT_DIR


@contextmanager
def bare_clone() -> Iterator[Path]:
    """Not below pytest's folder, which the user that PostgreSQL runs under may not enter."""
    folder = PROJECT_DIR / ".data" / f"test-clone-{os.getpid()}"
    subprocess.run(["git", "clone", "--quiet", str(PROJECT_DIR), str(folder)], check=True)
    try:
        yield folder
    finally:
        python = folder / ".venv" / "bin" / "python"
        if python.exists():
            subprocess.run([python, "-m", "etl.stack", "reset"], cwd=folder, env=bare_environment(), check=True)
        shutil.rmtree(folder)


def bare_environment() -> dict[str, str]:
    named = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "HTTP", "SSL"))}
    return {**named, "PATH": os.environ["PATH"], "HOME": os.environ["HOME"], "JAVA_HOME": "/nowhere"}


def commands_of(clone: Path, heading: str, after: str = "") -> list[str]:
    """Those that README prints first under a heading, behind some words there."""
    section = (clone / "README.md").read_text(encoding="utf-8").split(f"## {heading}", 1)[1]
    section = section.split(after, 1)[1] if after else section
    found = re.search(r"```console\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found[1].splitlines()


def run(clone: Path, script: str) -> str:
    """As a shell that ends with the first failure; what it said."""
    done = subprocess.run(
        ["sh", "-ec", script], cwd=clone, env=bare_environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
