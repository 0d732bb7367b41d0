"""Everything the loader does, through PgBouncer in transaction mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from etl.config.settings import PostgreSQLSettings
from etl.config.staging_models import JsonFiles, StagingJob
from etl.staging.database import StagingDatabase
from etl.staging.installing import install
from etl.staging.loader import LoadOptions, StagingLoader
from etl.staging.sources.files import FileSource
from etl.staging.sources.ndjson import NdjsonFormat
from etl.statements.staging import StagingTable
from tests.integration.staging.conftest import Execute
from tests.pgbouncer import pgbouncer

pytestmark = pytest.mark.stack


@pytest.fixture
def pooled(staging_settings: PostgreSQLSettings, empty: None, tmp_path: Path) -> Iterator[StagingDatabase]:
    folder = tmp_path / "pgbouncer"
    folder.mkdir()
    with pgbouncer(staging_settings, folder) as settings, closing(StagingDatabase(settings)) as database:
        yield database


def test_a_load_and_the_same_again(pooled: StagingDatabase, tmp_path: Path, execute: Execute) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(b"".join(orjson.dumps({"id": i % 4000, "n": i}) + b"\n" for i in range(5000)))
    job = StagingJob(
        id="events",
        target_table="stg_events",
        source=JsonFiles(type="ndjson", path=(str(file),)),
        source_id="id",
        batch_size=200,
        workers=4,
    )
    assert install(pooled, [StagingTable("stg_events")])[-1] == "stg_events"
    loader = StagingLoader(pooled)
    source = FileSource(NdjsonFormat(1 << 20), (file,))
    first = loader.load(job, source, LoadOptions(run_id="first"))
    assert first.is_success
    assert first.run["rows_inserted"] == 4000
    assert first.run["rows_updated"] + first.run["rows_deduplicated"] == 1000
    again = loader.load(job, source, LoadOptions(run_id="again"))
    assert again.run["rows_inserted"] == 0
    assert execute("SELECT count(*), sum((data ->> 'n')::int) FROM stg_events") == [(4000, sum(range(1000, 5000)))]
