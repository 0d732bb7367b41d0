"""What the deltalake package raises, as one of our errors."""

from __future__ import annotations

import pytest
from deltalake.exceptions import CommitFailedError, DeltaError

from etl.errors import ConnectionLostError, ContentionError, EtlError, OverloadedError, StoreError
from etl.load.s3.driver.door import delta_door

ARROW = "\n \x1b[31m↳\x1b[0m "
REFUSED = f"Kernel error -> Generic S3 error{ARROW}tcp connect error{ARROW}Connection refused (os error 111)"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (CommitFailedError("Failed to commit transaction: 0"), ContentionError),
        (DeltaError("Generic error: A Delta Lake table already exists at that location."), ContentionError),
        (OSError(REFUSED), ConnectionLostError),
        (OSError("Server returned non-2xx status code: 503 Service Unavailable: SlowDown"), OverloadedError),
        (OSError("Server returned non-2xx status code: 403 Forbidden"), StoreError),
        (DeltaError("Invalid table location"), StoreError),
    ],
)
def test_the_message_decides_the_trunk(error: Exception, expected: type[EtlError]) -> None:
    with (
        pytest.raises(expected, match=r"^expected the Delta log to be read, found: ") as raised,
        delta_door("be read", "t"),
    ):
        raise error
    assert ("\x1b" in str(raised.value), "\n" in str(raised.value), raised.value.table) == (False, False, "t")
