"""How often, and after which waits, something is tried again that a lost connection or a busy server broke off."""

from __future__ import annotations

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from etl.config.staging.models import DEFAULT_RETRIES
from etl.errors import TransientError

LONGEST_WAIT_SECONDS = 30.0

WAITS = wait_exponential_jitter(multiplier=0.2, max=LONGEST_WAIT_SECONDS, jitter=0.5)
IS_WORTH_IT = retry_if_exception_type(TransientError)


def patiently(retries: int = DEFAULT_RETRIES) -> Retrying:
    """For what may be told the ledger twice: it may be away for a moment, as it may be for a batch."""
    return Retrying(
        retry=IS_WORTH_IT, stop=stop_after_attempt(max(retries, DEFAULT_RETRIES) + 1), wait=WAITS, reraise=True
    )
