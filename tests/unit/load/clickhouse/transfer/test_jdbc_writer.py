from __future__ import annotations

import pytest

from etl.load.base import LoadFacts
from etl.load.clickhouse.transfer.jdbc_writer import batch_rows

MEGABYTE = 1 << 20


@pytest.mark.parametrize(
    ("facts", "rows"),
    [
        (None, 100_000),
        (LoadFacts(rows=1_000_000), 100_000),
        (LoadFacts(rows=1_000_000, bytes=50 * MEGABYTE), 100_000),
        (LoadFacts(rows=1_200, bytes=1_200 * MEGABYTE), 16),
        (LoadFacts(rows=2, bytes=200 * MEGABYTE), 1),
    ],
    ids=["unknown", "numbers alone", "short rows", "rows of a megabyte", "rows of a hundred"],
)
def test_a_batch_of_jdbc_ends_by_bytes_too(facts: LoadFacts | None, rows: int) -> None:
    assert batch_rows(facts) == rows
