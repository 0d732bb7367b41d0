"""The peers' own virtual environment in .data, made by pip when it is first needed."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from etl.project import PROJECT_DIR

OF_THE_UPLOADER = Path(__file__).with_name("requirements.txt")
OF_THE_NIGHT = Path(__file__).with_name("requirements-night.txt")
OF_THE_QUEUE = Path(__file__).with_name("requirements-queue.txt")
DATA_DIR = PROJECT_DIR / ".data"
SLING_VARIABLE = "SLING_BINARY"
"""A newer Sling than the packaged one, where the user has it; the variable that Sling's own package knows."""
_DIGEST = "requirements.sha256"


@dataclass(frozen=True)
class PeersEnvironment:
    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    def sling(self) -> Path:
        if own := os.environ.get(SLING_VARIABLE):
            return Path(own)
        found = next(self.folder.glob("lib/python*/site-packages/sling_linux_amd64/bin/sling-linux-amd64"))
        found.chmod(0o755)  # pip installs it as data
        return found

    def packages(self) -> dict[str, str]:
        listed = subprocess.run(
            [str(self.python), "-m", "pip", "list", "--format=json"], capture_output=True, check=True
        ).stdout
        return {package["name"]: package["version"] for package in json.loads(listed)}

    def versions(self) -> dict[str, str]:
        """Of the uploader's peers themselves; psql is the embedded server's."""
        found = self.packages()
        sling = subprocess.run([str(self.sling()), "--version"], capture_output=True, text=True, check=True).stdout
        return {
            "dlt": found["dlt"],
            "ADBC": found["adbc-driver-postgresql"],
            "Sling": sling.split()[-1],
            "asyncpg": found["asyncpg"],
            "pyarrow": found["pyarrow"],
        }


def prepare_environment(
    say: Callable[[str], None], requirements: Path = OF_THE_UPLOADER, name: str = "bench-peers"
) -> PeersEnvironment:
    """Installed once; again when the requirements change or an installation was interrupted."""
    folder = DATA_DIR / name
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    marker = folder / _DIGEST
    if not marker.exists() or marker.read_text() != digest:
        say(f"installing the peers into {folder} ...")
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "--requirement", str(requirements)], check=True)
        marker.write_text(digest)
    return PeersEnvironment(folder)
