"""Which Java Spark will find, and what it says of itself without being started. Standard library only."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path


def find_java() -> Path | None:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    return Path(found) if found else None


def release_of(java: Path) -> str | None:
    """Version and build, as the file beside it has them; None where a Java comes without one."""
    file = java.resolve().parents[1] / "release"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def major_version(said: str) -> int | None:
    """Of what `java -version` says, or the release file. 1.8 is 8."""
    found = re.search(r'(?:version |^JAVA_VERSION=)"(?:1\.)?(\d+)', said, re.MULTILINE)
    return int(found[1]) if found else None
