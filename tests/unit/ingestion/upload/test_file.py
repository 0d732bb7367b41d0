"""When a file counts as loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from etl.errors import ReconciliationError
from etl.ingestion.model import BatchCounts
from etl.ingestion.upload.file import _reconcile

WHOLE = BatchCounts(15, 1, 2, 3, 4, 5)


def test_rows_read_are_loaded_rejected_or_deduplicated() -> None:
    _reconcile(Path("a.csv"), WHOLE)


@pytest.mark.parametrize("other", [BatchCounts(rows_read=1), BatchCounts(rows_inserted=1)])
def test_a_row_too_few_or_too_many_is_no_success(other: BatchCounts) -> None:
    with pytest.raises(ReconciliationError, match=r"a\.csv: .* rows were read and .* accounted for"):
        _reconcile(Path("a.csv"), WHOLE + other)
