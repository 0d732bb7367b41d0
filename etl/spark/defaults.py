"""What stands in conf/spark-defaults.conf, and the JARs that the set-up fetched for it; without PySpark."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from etl.project import DEFAULT_CONFIG_DIR, ivy_dir

SPARK_DEFAULTS = DEFAULT_CONFIG_DIR / "spark-defaults.conf"


def read_spark_defaults(path: Path = SPARK_DEFAULTS) -> dict[str, str]:
    """`name value` a line, `#` begins a comment, as spark-submit reads it."""
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    return dict(_pair(line) for line in lines if line and not line.startswith("#"))


def jars_listing() -> Path:
    """Where scripts/setup.py lists the JARs that it has fetched: named after the packages, and where they lie."""
    ivy = ivy_dir()
    text = SPARK_DEFAULTS.read_text(encoding="utf-8")
    pins = re.findall(r"^spark\.jars\.(?:packages|excludes)\s+(\S+)", text, flags=re.MULTILINE)
    identity = "\n".join([*pins, str(ivy)])
    return ivy / f"spark-jars-{hashlib.sha256(identity.encode()).hexdigest()[:16]}.txt"


def _pair(line: str) -> tuple[str, str]:
    name, *value = line.split(maxsplit=1)
    return name, "".join(value)
