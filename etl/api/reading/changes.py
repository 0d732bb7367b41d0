"""Being built."""

from __future__ import annotations

from etl.api.models import Change
from etl.api.services import Services


def changes_since(services: Services, run_id: str, since: str | None) -> Change:
    raise NotImplementedError
