"""Questions to the source and the stores, asked again after a transient error; loads are retried by their loaders."""

from __future__ import annotations

from tenacity import Retrying

from etl.config.settings import RunSettings
from etl.model import Destination
from etl.retrying import retrying


def asking_again(run: RunSettings, table: str, destination: Destination) -> Retrying:
    """As loads have it; only for what may be done twice."""
    event = "question retried"
    return retrying(run.retries, run.retry_for_seconds, event, table=table, destination=str(destination))
