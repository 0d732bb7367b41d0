"""Questions to the source and the stores, asked again after a transient error; loads are retried by their loaders."""

from __future__ import annotations

from tenacity import Retrying

from etl.config.settings import RunSettings
from etl.model import Destination
from etl.retrying import as_configured


def asking_again(run: RunSettings, table: str, destination: Destination) -> Retrying:
    """As loads have it; only for what may be done twice."""
    return as_configured(run, "question retried", table, destination)
