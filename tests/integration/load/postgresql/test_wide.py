"""As many columns as a load may have, in every mode: loaded, unchanged, changed."""

from __future__ import annotations

import pytest

from etl.model import ConflictResolution, WriteMode
from tests.integration.load.postgresql.conftest import Database, counts, facts_of, table_config
from tests.wide_frames import OF_A_LOAD, wide_frame

# Spark plans, compiles and digests each of the columns
pytestmark = [pytest.mark.stack, pytest.mark.slow, pytest.mark.timeout(1800)]

LOADS = {
    "upsert": (WriteMode.UPSERT, ConflictResolution.UPDATE, {"inserted": 1, "updated": 1, "unchanged": 3}),
    "append": (WriteMode.APPEND, ConflictResolution.SKIP, {"inserted": 1, "skipped": 1, "unchanged": 3}),
    "overwrite": (WriteMode.OVERWRITE, ConflictResolution.UPDATE, {"inserted": 1, "updated": 1, "unchanged": 3}),
}


@pytest.mark.parametrize(("name", "copy_format"), [("upsert", "binary"), ("append", "csv"), ("overwrite", "binary")])
def test_1596_columns(database: Database, name: str, copy_format: str) -> None:
    mode, resolution, changed = LOADS[name]
    config = table_config("wide", mode=mode, conflict_resolution=resolution, copy_format=copy_format)
    first, second = wide_frame(database.spark, OF_A_LOAD), wide_frame(database.spark, OF_A_LOAD, range(5), [2])
    assert counts(database.loader("run-1").load(first, config, facts_of(first))) == {"inserted": 4}
    assert counts(database.loader("run-2").load(first, config, facts_of(first))) == {"unchanged": 4}
    assert counts(database.loader("run-3").load(second, config, facts_of(second))) == changed
    is_kept = resolution is ConflictResolution.SKIP
    assert database.execute("SELECT id FROM wide WHERE last = 'changed'") == ([] if is_kept else [(2,)])
    assert database.staging_tables() == []
