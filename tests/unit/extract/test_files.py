"""Files as users have them: quotes, gaps, wrong encodings, cut-off archives."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from etl.config.models import FileFormat, FileSource, TableConfig
from etl.errors import SourceError
from etl.extract.files import measure_files, read_files
from etl.model import UNREADABLE, TableKind

COLUMNS = {"id": "integer", "name": "text"}


def table(path: Path, format_: FileFormat = FileFormat.CSV, **options: Any) -> TableConfig:
    source = FileSource(format=format_, path=str(path), **{"columns": COLUMNS, **options})
    return TableConfig(name="t", domain="x", kind=TableKind.EVENT, key=("id",), source=source, loads={})


def rows(spark: SparkSession, config: TableConfig) -> list[tuple[Any, ...]]:
    return sorted((tuple(row) for row in read_files(spark, config).collect()), key=str)


def test_csv_tells_empty_text_from_nothing(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('id,name\n1,""\n2,\n3,"a ""quoted""\nline"\n4,NULL\n')
    assert rows(spark, table(tmp_path)) == [
        ("1", "", None),
        ("2", None, None),
        ("3", 'a "quoted"\nline', None),
        ("4", "NULL", None),
    ]


def test_csv_columns_are_found_by_name_and_others_left_out(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"\xef\xbb\xbfname;more;id\na;x;1\n")
    assert rows(spark, table(tmp_path, delimiter=";")) == [("1", "a", None)]


def test_csv_without_a_header_follows_the_declared_order(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,NA\n")
    assert rows(spark, table(tmp_path, header=False, null_value="NA")) == [("1", None, None)]


def test_a_record_of_another_shape_is_marked(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n2\n3,c,d\n")
    marks = [(row[0], row[-1]) for row in rows(spark, table(tmp_path))]
    assert marks == [("1", None), ("2", "record=it does not have 2 fields"), ("3", "record=it does not have 2 fields")]


def test_text_in_another_encoding_is_marked_or_read(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("id,name\n1,é\n".encode("latin-1"))
    assert rows(spark, table(tmp_path)) == [("1", "\ufffd", "name=\ufffd")]
    assert rows(spark, table(tmp_path, encoding="ISO-8859-1")) == [("1", "é", None)]


def test_a_missing_column_is_named_with_the_nearest(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,nmae\n1,a\n")
    with pytest.raises(SourceError, match="name: did you mean 'nmae'"):
        read_files(spark, table(tmp_path))


def test_missing_files_are_named(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=f"expected csv files of table t at {tmp_path}/none, found none"):
        measure_files(spark, table(tmp_path / "none"))


def test_a_cut_off_archive_is_an_error_and_not_half_a_load(spark: SparkSession, tmp_path: Path) -> None:
    text = "id,name\n" + "".join(f"{number},{number * 7919 % 104729}\n" for number in range(20_000))
    whole = gzip.compress(text.encode())
    (tmp_path / "a.csv.gz").write_bytes(whole)
    assert read_files(spark, table(tmp_path)).count() == 20_000
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises((PySparkException, Py4JError)):
        read_files(spark, table(tmp_path)).collect()


def test_json_numbers_stay_exact_and_broken_lines_are_marked(spark: SparkSession, tmp_path: Path) -> None:
    lines = [json.dumps({"id": 9007199254740993, "name": {"a": [1]}}), '{"id": 2}', '{"id": 3,']
    (tmp_path / "a.json").write_text("\n".join(lines))
    assert rows(spark, table(tmp_path, FileFormat.JSON)) == [
        ("2", None, None),
        ("9007199254740993", '{"a":[1]}', None),
        (None, None, "record=it is not one JSON object a line"),
    ]


def test_parquet_and_delta_keep_their_types(spark: SparkSession, tmp_path: Path) -> None:
    df = spark.createDataFrame([(1, "a", 2.5)], "id int, name string, more double")
    df.write.parquet(str(tmp_path / "p"))
    df.write.format("delta").save(str(tmp_path / "d"))
    for format_, folder in ((FileFormat.PARQUET, "p"), (FileFormat.DELTA, "d")):
        frame = read_files(spark, table(tmp_path / folder, format_))
        assert (frame.collect(), frame.dtypes) == ([(1, "a")], [("id", "int"), ("name", "string")])
        assert read_files(spark, table(tmp_path / folder, format_, columns={})).columns == ["id", "name", "more"]
        assert UNREADABLE not in frame.columns


def test_another_format_than_said_is_an_error(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / "note.txt").write_text("no log")
    with pytest.raises(SourceError, match="expected delta files"):
        read_files(spark, table(tmp_path, FileFormat.DELTA))


def test_the_fingerprint_follows_the_files_and_what_is_done_with_them(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "_SUCCESS").write_text("")
    first = measure_files(spark, table(tmp_path))
    assert measure_files(spark, table(tmp_path)) == first
    assert (first.rows, first.upper_mark, first.tail_fingerprint) == (None, None, first.fingerprint)
    assert measure_files(spark, table(tmp_path), "another").fingerprint != first.fingerprint
    (tmp_path / "b.csv").write_text("id,name\n2,b\n")
    assert measure_files(spark, table(tmp_path)).fingerprint != first.fingerprint
