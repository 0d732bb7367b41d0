"""What a run is called."""

from __future__ import annotations

import re
import secrets
from datetime import UTC, datetime

from etl.config.staging.models import StagingJob
from etl.errors import UsageError

RUN_ID = r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}"
"""As the ledger's own constraint has it."""


def checked_run_id(run_id: str) -> str:
    if not re.fullmatch(RUN_ID, run_id):
        raise UsageError(f"expected a run id of letters, digits, _ and - (at most 128), found {run_id!r}")
    return run_id


def new_run_id(job: StagingJob) -> str:
    """Said aloud more easily than a UUID, and as unlikely to meet another run of the job."""
    return f"{job.id}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
