"""Files as users have them: quotes, gaps, wrong encodings, cut-off archives."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from etl.config.tables.models import FileFormat, FileSource, TableConfig
from etl.errors import SourceError
from etl.extract.files.files import measure_files, read_files
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


def test_csv_headers_in_another_order_are_read_by_name(spark: SparkSession, tmp_path: Path) -> None:
    folder = tmp_path / "day=1"
    folder.mkdir()
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "b.csv").write_text("name,id\nb,2\n")
    (folder / "c [x]{y}*.csv").write_text('"more","id","","name","",more\n,3,,"c",,\n')
    with gzip.open(tmp_path / "d.csv.gz", "wt") as file:
        file.write("name,id\nd,4\n5\n")
    (tmp_path / "empty.csv").write_text("")
    damage = "record=it does not have 2 fields"
    expected = [("1", "a", None), ("2", "b", None), ("3", "c", None), ("4", "d", None), (None, "5", damage)]
    assert sorted(rows(spark, table(tmp_path)), key=str) == sorted(expected, key=str)
    measured = measure_files(spark, table(tmp_path))
    assert (measured.files_read, measured.files_skipped) == (5, ())


def test_a_file_whose_header_lacks_or_repeats_a_column_is_named(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "b.csv").write_text("id,nam\n2,b\n")
    with pytest.raises(SourceError, match=r"b\.csv lacks declared columns:\n  name: did you mean 'nam'"):
        read_files(spark, table(tmp_path))
    (tmp_path / "b.csv").write_text("id,name,name\n2,b,c\n")
    with pytest.raises(SourceError, match=r"b\.csv: expected each declared column once .* found name more often"):
        read_files(spark, table(tmp_path))
    (tmp_path / "a.csv").write_text("")
    (tmp_path / "b.csv").write_text("")
    with pytest.raises(SourceError, match="expected a header, found 2 empty files"):
        read_files(spark, table(tmp_path))


def test_files_that_are_no_text_are_refused_by_their_content(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / "b.csv").write_bytes(gzip.compress(b"id,name\n2,b\n"))
    for config in (table(tmp_path), table(tmp_path, header=False), table(tmp_path, FileFormat.JSON)):
        with pytest.raises(SourceError, match=r"b\.csv: expected text, found gzip, but its name does not end in \.gz"):
            read_files(spark, config)
    (tmp_path / "b.csv").write_bytes(b"PK\x03\x04rest")
    with pytest.raises(SourceError, match="found a ZIP archive or an Excel workbook"):
        read_files(spark, table(tmp_path))


def test_files_that_spark_passes_over_are_named(spark: SparkSession, tmp_path: Path) -> None:
    for name in ("2025.csv", "_2026.csv", ".hidden.csv", "_SUCCESS", ".2025.csv.crc", "x.csv._COPYING_"):
        (tmp_path / name).write_text("id,name\n1,a\n")
    for folder in ("_part", "_day=1"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text("id,name\n2,b\n")
    hidden = "Spark takes names that begin with _ or . for hidden; rename it to load it"
    by_pattern = measure_files(spark, table(tmp_path / "*.csv"))
    assert by_pattern.files_read == 1
    assert by_pattern.files_skipped == tuple(f"{tmp_path}/{name}: {hidden}" for name in (".hidden.csv", "_2026.csv"))
    below = measure_files(spark, table(tmp_path))
    assert below.files_read == 2
    assert [text.partition(": ")[0].rpartition("/")[2] for text in below.files_skipped] == [
        ".hidden.csv",
        "_2026.csv",
        "_part",
        "x.csv._COPYING_",
    ]
    assert rows(spark, table(tmp_path)) == [("1", "a", None), ("2", "b", None)]
    for config in (table(tmp_path, FileFormat.JSON), table(tmp_path, header=False)):
        with pytest.raises(SourceError, match=r"or none, found outside of them \S+/2025\.csv; move them"):
            read_files(spark, config)
    with pytest.raises(SourceError, match=r"found none; passed over are \S+/_2026\.csv: Spark takes names"):
        read_files(spark, table(tmp_path / "_2026.csv"))


def test_a_name_that_java_does_not_see_is_refused_and_not_left_out(spark: SparkSession, tmp_path: Path) -> None:
    """Java passes over what its encoding has no letters for, without a word."""
    (tmp_path / "a.csv").write_text("id,name\n1,a\n")
    (tmp_path / os.fsdecode(b"caf\xe9.csv")).write_text("id,name\n2,b\n")
    (tmp_path / "in" / os.fsdecode(b"f\xfcr")).mkdir(parents=True)
    (tmp_path / "in" / os.fsdecode(b"f\xfcr") / "b.csv").write_text("id,name\n3,c\n")
    for path, named in (
        (tmp_path, r"caf\\xe9\.csv, .*/in/f\\xfcr: Spark does not see a name that is not UTF-8: rename it"),
        (tmp_path / "*.csv", r"caf\\xe9\.csv: Spark does not see"),
        (tmp_path / "caf?.csv", r"caf\\xe9\.csv: Spark does not see"),
        (tmp_path / "in" / "*" / "b.csv", r"in/f\\xfcr: Spark does not see"),
    ):
        with pytest.raises(SourceError, match=named):
            measure_files(spark, table(path))
    assert rows(spark, table(tmp_path / "a*.csv")) == [("1", "a", None)]


def test_parquet_files_that_do_not_go_together_name_file_and_column(spark: SparkSession, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": pa.array([1], pa.int32()), "v": ["a"]}), tmp_path / "a.parquet")
    pq.write_table(pa.table({"id": pa.array([1], pa.int64()), "v": ["a"]}), tmp_path / "b.parquet")
    config = table(tmp_path, FileFormat.PARQUET, columns={})
    with pytest.raises(SourceError, match=r"b\.parquet: column id is int64, but int32 in \S+/a\.parquet"):
        read_files(spark, config)
    (tmp_path / "b.parquet").write_text("no parquet")
    with pytest.raises(SourceError, match=r"b\.parquet is not a Parquet file"):
        read_files(spark, config)
    (tmp_path / "b.parquet").unlink()
    pq.write_table(pa.table({"id": [1], "t": pa.array([1], pa.time64("ns"))}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match=r"a\.parquet: column t is int64 \(TIME\(NANOS,false\)\), which Spark"):
        read_files(spark, config)


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
    with pytest.raises(SourceError, match=r"a\.csv\.gz: .*Unexpected end of input stream"):
        read_files(spark, table(tmp_path))


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
