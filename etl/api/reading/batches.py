"""Being built."""

from __future__ import annotations

from etl.api.models import Batch, BatchPage, BatchStatus
from etl.api.services import Services


def page_of_batches(
    services: Services, run_id: str, after: int, limit: int, status: list[BatchStatus] | None, text: str | None
) -> BatchPage:
    raise NotImplementedError


def get_batch(services: Services, run_id: str, index: int) -> Batch:
    raise NotImplementedError
