from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.config.staging.jobs import load_staging_configuration
from etl.errors import SourceError
from etl.project import DEFAULT_CONFIG_DIR
from etl.staging.sources.base import Source
from etl.staging.sources.factory import open_source
from etl.staging.sources.files import FileSource
from etl.staging.sources.spool import SpooledSource
from etl.staging.sources.streams import Query, StandardInput
from tests.unit.staging.sources.support import records_of


def opened(folder: Path, source: str, environ: Mapping[str, str] | None = None) -> Source:
    (folder / "staging").mkdir()
    (folder / "staging" / "jobs.yaml").write_text(
        f"jobs:\n  events:\n    target_table: stg_events\n    source_id: id\n    source: {source}\n"
    )
    configuration = load_staging_configuration(folder, {"ETL_SPOOL_DIR": str(folder / "spool"), **(environ or {})})
    return open_source(configuration.job("events"), configuration)


@pytest.mark.parametrize(
    ("kind", "content"),
    [("ndjson", '{"id":"1"}\n'), ("json_array", '[{"id":"1"}]'), ("csv, delimiter: ';'", 'id\n"1"\n'), ("parquet", "")],
)
def test_files_of_each_kind(tmp_path: Path, kind: str, content: str) -> None:
    if kind == "parquet":
        pq.write_table(pa.table({"id": ["1"]}), tmp_path / "events")
    else:
        (tmp_path / "events").write_text(content)
    source = opened(tmp_path, f"{{type: {kind}, path: events}}")
    assert isinstance(source, FileSource)
    assert records_of(list(source.batches(100))) == [b'{"id":"1"}']


def test_a_missing_file_is_told_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no file matches .*events\*"):
        opened(tmp_path, "{type: ndjson, path: events*}")


def test_a_column_without_a_form_in_json_is_told_before_anything_is_done(tmp_path: Path) -> None:
    schema = pa.schema([pa.field("price", pa.binary(), metadata={"ARROW:extension:name": "company.money"})])
    pq.write_table(pa.Table.from_arrays([pa.array([b""])], schema=schema), tmp_path / "events")
    with pytest.raises(SourceError, match=r"events: column price: expected a type .* found company\.money"):
        opened(tmp_path, "{type: parquet, path: events}")


def test_what_cannot_be_read_twice_is_spooled(tmp_path: Path) -> None:
    source = opened(tmp_path, "{type: stdin, format: csv}")
    assert isinstance(source, SpooledSource)
    assert isinstance(source.stream, StandardInput)
    assert source.spool.directory == tmp_path / "spool"


def test_a_query_knows_its_server(tmp_path: Path) -> None:
    environ = {"ETL_SOURCE_POSTGRES_URL": "postgresql://etl:pw@localhost/shop"}
    source = opened(tmp_path, "{type: query, query: SELECT 1 AS id}", environ)
    assert isinstance(source, SpooledSource)
    assert isinstance(source.stream, Query)
    assert (source.stream.server.database, source.stream.query) == ("shop", "SELECT 1 AS id")


def test_the_examples_have_no_fault() -> None:
    configuration = load_staging_configuration(DEFAULT_CONFIG_DIR, {})
    counts = {
        name: len(records_of(list(open_source(job, configuration).batches(100))))
        for name, job in configuration.jobs.items()
    }
    assert counts == {"audience_events": 40, "newsletter_subscribers": 24}
