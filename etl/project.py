"""Where the project's own files lie, and what is kept beside them. On executors there is the package alone."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT_DIR = Path(__file__).resolve().parents[1]
DEFAULT_CONFIG_DIR = PROJECT_DIR / "conf"
SQL_DIR = PROJECT_DIR / "sql"

IVY_DIR_VARIABLE = "ETL_IVY_DIR"


def ivy_dir() -> Path:
    """Where Java packages are kept, Spark's too; never ~/.m2, where half a package makes a resolution fail."""
    configured = os.environ.get(IVY_DIR_VARIABLE)
    return Path(configured or PROJECT_DIR / ".ivy").expanduser().resolve()


def log_dir() -> Path:
    """Where Spark's and the JVM's own logs go."""
    return Path(os.environ.get("ETL_LOG_DIR") or PROJECT_DIR / "logs")
