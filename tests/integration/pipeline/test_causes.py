"""Whatever goes wrong, the summary says its cause: file, column and what to do, and never the name of a class."""

from __future__ import annotations

import gzip
import re

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl import errors
from tests.integration.pipeline.conftest import Shop, load_of, status_of

pytestmark = pytest.mark.stack

CLASS_NAMES = re.compile(
    "Py4J|SparkException|PySpark|Traceback|" + "|".join(name for name in vars(errors) if name.endswith("Error"))
)
TABLES = """
tables:
  headers: {source: {type: file, format: csv, path: "%(in)s/headers/*.csv", columns: {id: int, v: text}}}
  archive: {source: {type: file, format: csv, path: "%(in)s/cut.csv.gz", columns: {id: int, v: text}}}
  types: {source: {type: file, format: parquet, path: "%(in)s/types"}}
  broken: {source: {type: file, format: parquet, path: "%(in)s/broken.parquet"}}
  damaged: {source: {type: file, format: parquet, path: "%(in)s/damaged.parquet"}}
  rule: {source: {type: file, format: json, path: "%(in)s/rule.json", columns: {id: int}}, transform: {rules: {r: "1/0 = 1"}}}
  dividing: {}
"""  # noqa: E501
SAID = {
    "archive": "/cut.csv.gz: expected to read its first record, found: Unexpected end of input stream",
    "types": "/types/b.parquet: column id is int64, but int32 in ",
    "broken": "/broken.parquet is not a Parquet file",
    "damaged": "/damaged.parquet: ",
    "rule": "Division by zero",
    "dividing": "division by zero",
}


def test_no_summary_hides_a_cause(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    _write_files(shop)
    shop.source("CREATE VIEW dividing AS SELECT g AS id, 1 / (g - 2) AS v FROM generate_series(1, 2) g")
    shop.tables((TABLES % {"in": shop.folder / "in"}).lstrip())
    exit_code, report = shop.run(destinations="s3,postgresql", log_format="console")
    said = capsys.readouterr().err
    summary = said[said.index(f"run {report['run_id']}: ") :]
    assert exit_code == 1
    assert {table for (table, _), status in status_of(report).items() if status == "success"} == {"headers"}
    for table, cause in SAID.items():
        assert cause in load_of(report, table, "s3")["error"], table
        assert f"{table} -> postgresql, s3: " in summary, table
        assert cause.removesuffix(" ") in summary, table
    assert not CLASS_NAMES.search(summary), summary
    assert f"--resume {report['run_id']} --config-dir {shop.folder}\n" in summary

    loaded = load_of(report, "headers", "postgresql")
    assert (loaded["rows_inserted"], loaded["files_read"]) == (2, 2)
    assert shop.target("SELECT id, v FROM headers ORDER BY id") == [(1, "a"), (2, "b")]
    [skipped] = loaded["files_skipped"]
    assert "/headers/_later.csv: Spark takes names that begin with _ or . for hidden" in skipped
    assert f"1 file passed over:\n  headers: {skipped}\n" in summary


def _write_files(shop: Shop) -> None:
    folder = shop.folder / "in"
    for name in ("headers", "types"):
        (folder / name).mkdir(parents=True)
    (folder / "headers" / "a.csv").write_text("id,v\n1,a\n")
    (folder / "headers" / "b.csv").write_text("v,id\nb,2\n")
    (folder / "headers" / "_later.csv").write_text("id,v\n3,c\n")
    text = "id,v\n" + "".join(f"{number},{number * 7919 % 104729}\n" for number in range(20_000))
    (folder / "cut.csv.gz").write_bytes(gzip.compress(text.encode())[:20_000])
    for name, kind in (("a", pa.int32()), ("b", pa.int64())):
        pq.write_table(pa.table({"id": pa.array([1], kind)}), folder / "types" / f"{name}.parquet")
    (folder / "broken.parquet").write_text("no Parquet at all")
    whole = folder / "damaged.parquet"
    pq.write_table(pa.table({"id": list(range(50_000))}), whole, compression="none", use_dictionary=False)
    content = bytearray(whole.read_bytes())
    content[4:60] = bytes(56)
    whole.write_bytes(content)
    (folder / "rule.json").write_text('{"id": 1}\n')
