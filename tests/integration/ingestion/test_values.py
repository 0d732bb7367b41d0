"""Values that a table will not take, or takes for something else."""

from __future__ import annotations

import gzip
import random
import string
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etl.ingestion.model import BadRows, CopyPath, CsvOptions, FileStatus, Mode, NulCharacters, TolerantMode
from tests.integration.ingestion.conftest import Uploads, headers_of, told

pytestmark = pytest.mark.stack

REJECTS = "SELECT line, row_in_file, column_name, value FROM ingestion_rejects ORDER BY batch_idx, place"


def one_column(uploads: Uploads, kind: str, *values: str) -> Path:
    """A table of an id and a column v, and a file of these values."""
    uploads.execute(f"DROP TABLE IF EXISTS t; CREATE TABLE t (id bigint PRIMARY KEY, v {kind})")
    return uploads.csv("a.csv", "id,v", *(f"{place},{value}" for place, value in enumerate(values, 1)))


def parquet(uploads: Uploads, kind: str, values: Sequence[object], arrow_type: pa.DataType) -> Path:
    one_column(uploads, kind)
    path = uploads.folder / "a.parquet"
    pq.write_table(pa.table({"id": range(1, len(values) + 1), "v": pa.array(values, arrow_type)}), path)
    return path


V = {"headers": headers_of("id v")}


@pytest.mark.parametrize(
    ("kind", "bad", "reason"),
    [
        ("int", "1.5", "invalid input syntax for type integer"),
        ("int", "1e3", "invalid input syntax for type integer"),
        ("int", "3000000000", "out of range"),
        ("smallint NOT NULL", "", "found NULL"),
        ("numeric(4,2)", "100", "numeric field overflow"),
        ("varchar(3)", "long", "value too long for type character varying(3)"),
        ("char(3)", "long", "value too long for type character(3)"),
        ("boolean", "maybe", "invalid input syntax for type boolean"),
        ("date", "2026-02-30", "out of range"),
        ("jsonb", "{", "invalid input syntax for type json"),
        ("uuid", "1234", "invalid input syntax for type uuid"),
        ("int[]", "1", "malformed array literal"),
    ],
)
@pytest.mark.parametrize(
    ("copy_path", "mode"),
    [(CopyPath.AUTO, Mode.UPSERT), (CopyPath.AUTO, Mode.APPEND), (CopyPath.RECORDS, Mode.UPSERT)],
)
def test_a_bad_value_is_named_or_rejected(
    uploads: Uploads, kind: str, bad: str, reason: str, copy_path: CopyPath, mode: Mode
) -> None:
    good = {"boolean": "true", "date": "2026-01-01", "jsonb": "1", "int[]": "{1}"}.get(kind, "1")
    good = "6f1c0a52-7e7a-4a54-8ff0-3b2f1f6f0c11" if kind == "uuid" else good
    file = one_column(uploads, kind, good, bad, good)
    failed = uploads.load_one(file, **V, copy_path=copy_path, mode=mode)
    assert failed.status is FileStatus.FAILED
    assert f"{file}, line 3, column v" in failed.notes
    assert reason in failed.notes
    assert (repr(bad) if bad else "NULL") in failed.notes
    assert uploads.rows(columns="id, id") == []
    result = uploads.load_one(file, **V, copy_path=copy_path, mode=mode, bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 3, "inserted": 2, "rejected": 1}
    assert uploads.rows(columns="id, id") == [(1, 1), (3, 3)]
    ((line, _, column, value),) = uploads.execute(REJECTS)
    assert (line, column, value) == (3, "v", bad or None)


def test_rejects_are_found_in_their_own_lines_and_rows(uploads: Uploads) -> None:
    """Line breaks within quotes, rejects of both kinds, several batches."""
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    lines = ["id,name", "1,one", '2,"a', 'b"', "x,bad id", "4,too,many", '5,"c', '"', "y,bad id", "7,seven"]
    file = uploads.csv("a.csv", *lines)
    expected = [(5, 3, "id", "x"), (6, 4), (9, 6, "id", "y")]
    for chunk_size in (1, 2, 3, 100):
        uploads.execute("TRUNCATE t")
        result = uploads.load_one(file, bad_rows=BadRows.REJECT, chunk_size=chunk_size, restart=True)
        assert told(result.counts) == {"read": 7, "inserted": 4, "rejected": 3}
        assert [row[0] for row in uploads.rows()] == [1, 2, 5, 7]
        found = uploads.execute(
            "SELECT line, row_in_file, column_name, value FROM ingestion_rejects JOIN ingestion_manifest "
            "USING (load_id) ORDER BY line"
        )
        assert [row[: len(wanted)] for row, wanted in zip(found, expected, strict=True)] == expected, chunk_size


@pytest.mark.parametrize("copy_path", CopyPath)
def test_bad_values_of_a_parquet_file_are_rejected_by_their_row(uploads: Uploads, copy_path: CopyPath) -> None:
    values = ["one", "long", None, "two", "longer"]
    file = parquet(uploads, "varchar(3)", values, pa.string())
    result = uploads.load_one(file, **V, copy_path=copy_path, chunk_size=2, bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 5, "inserted": 3, "rejected": 2}
    assert uploads.rows() == [(1, "one"), (3, None), (4, "two")]
    assert uploads.execute(REJECTS) == [(None, 2, "v", "long"), (None, 5, "v", "longer")]


def test_numbers_too_great_in_a_parquet_file_are_rejected_by_their_row(uploads: Uploads) -> None:
    file = parquet(uploads, "int", [1, 3_000_000_000, 3], pa.int64())
    failed = uploads.load_one(file, **V)
    assert failed.status is FileStatus.FAILED
    assert "row 2" in failed.notes
    assert "3000000000" in failed.notes
    result = uploads.load_one(file, **V, bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 3, "inserted": 2, "rejected": 1}
    assert uploads.execute(REJECTS) == [(None, 2, "v", "3000000000")]


def test_a_dry_run_finds_null_where_the_table_takes_none(uploads: Uploads) -> None:
    file = one_column(uploads, "text NOT NULL", "there", "")
    notes = [uploads.load_one(file, **V, dry_run=dry_run).notes for dry_run in (True, False)]
    assert ["line 3, column v: expected a value, found NULL; mend" in note for note in notes] == [True, True], notes
    assert uploads.load_one(file, **V, bad_rows=BadRows.REJECT, dry_run=True).counts.rows_rejected == 1


def test_a_trigger_may_put_in_what_is_null(uploads: Uploads) -> None:
    file = one_column(uploads, "text NOT NULL", "there", "")
    uploads.execute(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.v := coalesce(NEW.v, 'filled'); RETURN NEW; END $$; "
        "CREATE TRIGGER filling BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION fill()"
    )
    assert told(uploads.load(file, **V).counts) == {"read": 2, "inserted": 2}
    assert uploads.rows() == [(1, "there"), (2, "filled")]


@pytest.mark.parametrize(("kind", "value"), [("char(3)[]", "{abc,xyz}"), ("bit(3)[]", "{101,110}")])
@pytest.mark.parametrize("way", ["parquet", "rejects"])
def test_elements_of_a_length_are_stored_whole(uploads: Uploads, kind: str, value: str, way: str) -> None:
    """Neither as text nor beside a row that is rejected is anything cut off."""
    if way == "parquet":
        file = parquet(uploads, kind, [value], pa.string())
    else:
        file = one_column(uploads, kind, f'"{value}"', "{")
    for outcome in ("inserted", "unchanged"):
        assert told(uploads.load_one(file, **V, bad_rows=BadRows.REJECT).counts)[outcome] == 1
    assert uploads.rows(columns="id, v::text") == [(1, value)]


def test_a_rule_over_several_columns_fails_the_file_by_its_name(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text, CONSTRAINT no_two CHECK (id <> 2))")
    result = uploads.load_one(uploads.numbered("a.csv", (1, 2)), bad_rows=BadRows.REJECT)
    assert result.status is FileStatus.FAILED
    assert "no_two" in result.notes
    assert uploads.rows() == []


def test_a_key_beyond_what_an_index_takes_fails_its_file(uploads: Uploads) -> None:
    long_key = "".join(random.Random(7).choices(string.ascii_letters, k=20_000))  # does not compress
    report = uploads.load(uploads.csv("a.csv", "id,name", f"{long_key},one"), uploads.csv("b.csv", "id,name", "2,two"))
    assert [file.status.value for file in report.files] == ["failed", "success"]
    assert "index row" in report.files[0].notes
    assert uploads.rows() == [("2", "two")]


def test_empty_and_null_stay_two_things_in_every_batch(uploads: Uploads) -> None:
    file = uploads.csv(
        "a.csv", "id,name", *(f"{n},{['', chr(34) * 2][n % 2]}" for n in range(100)), "-1,NULL", "-2,\\N"
    )
    uploads.load(file, chunk_size=9)
    assert uploads.execute("SELECT count(*) FILTER (WHERE name IS NULL), count(*) FILTER (WHERE name = '') FROM t") == [
        (50, 50)
    ]
    assert uploads.rows()[:2] == [("-1", "NULL"), ("-2", "\\N")]


def test_null_is_what_the_option_says(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name", "1,it's", '2,"it\'s"', "3,")
    uploads.load(file, csv=CsvOptions(null="it's"))
    assert uploads.rows() == [("1", None), ("2", "it's"), ("3", "")]


@pytest.mark.parametrize(
    ("delimiter", "quotechar"),
    [(",", '"'), (";", '"'), ("\t", '"'), ("|", "'"), ("'", '"'), ("\\", '"'), (",", "'"), (",", "`"), (",", "\\")],
)
def test_any_delimiter_and_quote_reach_the_server_as_meant(uploads: Uploads, delimiter: str, quotechar: str) -> None:
    line = delimiter.join(["1", f"{quotechar}a{delimiter}{quotechar * 2}b{quotechar}"])
    file = uploads.csv("a.csv", delimiter.join(["id", "name"]), line)
    uploads.load(file, csv=CsvOptions(delimiter=delimiter, quotechar=quotechar))
    assert uploads.rows() == [("1", f"a{delimiter}{quotechar}b")]


def test_whole_numbers_written_as_floats_are_taken_where_they_may_be(uploads: Uploads) -> None:
    """As pandas writes a column of integers in which one is missing."""
    file = one_column(uploads, "integer", "1.0", "1e3", "", "-7", "1.5", "3000000000.0", "NaN", "one")
    refused = uploads.load_one(file, **V)
    assert "line 2, column v: invalid input syntax for type integer" in refused.notes
    named = uploads.load_one(file, **V, whole_floats=True)
    assert "line 6, column v: expected a whole number in the range of integer, found '1.5'" in named.notes
    result = uploads.load_one(file, **V, whole_floats=True, bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 8, "inserted": 4, "rejected": 4}
    assert uploads.rows() == [(1, 1), (2, 1000), (3, None), (4, -7)]


def test_decimals_are_rounded_half_up_or_refused(uploads: Uploads) -> None:
    file = one_column(uploads, "numeric(10,2)", "1.005", "-1.005", "2.50000", "3")
    uploads.load(file, **V)
    assert uploads.rows() == [(1, Decimal("1.01")), (2, Decimal("-1.01")), (3, Decimal("2.50")), (4, Decimal("3.00"))]
    strict = uploads.load_one(file, **V, strict_decimals=True)
    assert strict.status is FileStatus.FAILED
    assert "line 2, column v: expected at most 2 decimals" in strict.notes
    uploads.execute("TRUNCATE t")
    result = uploads.load_one(file, **V, strict_decimals=True, bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 4, "inserted": 2, "rejected": 2}
    assert uploads.rows() == [(3, Decimal("2.50")), (4, Decimal("3.00"))]


@pytest.mark.parametrize("copy_path", CopyPath)
@pytest.mark.parametrize(
    ("arrow_type", "values"),
    [
        (pa.decimal128(10, 3), [Decimal("1.005"), Decimal("2.500"), None]),
        (pa.float64(), [1.005, 2.5, None]),
        (pa.string(), ["1.005", "2.500", None]),
    ],
    ids=str,
)
def test_strict_decimals_hold_for_parquet(
    uploads: Uploads, copy_path: CopyPath, arrow_type: pa.DataType, values: list[object]
) -> None:
    file = parquet(uploads, "numeric(10,2)", values, arrow_type)
    strict = uploads.load_one(file, **V, strict_decimals=True, copy_path=copy_path)
    assert strict.status is FileStatus.FAILED
    assert "row 1, column v: expected at most 2 decimals" in strict.notes
    result = uploads.load_one(file, **V, strict_decimals=True, copy_path=copy_path, bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 3, "inserted": 2, "rejected": 1}
    assert uploads.rows() == [(2, Decimal("2.50")), (3, None)]


def test_numbers_that_are_none_are_kept(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, v float8, n numeric)")
    file = uploads.csv("a.csv", "id,v,n", "1,NaN,NaN", "2,Infinity,Infinity", "3,-Infinity,-Infinity", "4,,")
    headers = headers_of("id v n")
    uploads.load(file, headers=headers)
    texts = "id, v::text, n::text"
    expected = [(1, "NaN", "NaN"), (2, "Infinity", "Infinity"), (3, "-Infinity", "-Infinity"), (4, None, None)]
    assert uploads.rows(columns=texts) == expected
    assert told(uploads.load(file, headers=headers).counts) == {"read": 4, "unchanged": 4}


@pytest.mark.parametrize("copy_path", CopyPath)
def test_the_first_and_the_last_day_are_days(uploads: Uploads, copy_path: CopyPath) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, d date, at timestamp, z timestamptz)")
    days = ["0001-01-01", "9999-12-31", "1969-12-31", "10000-01-01", "infinity"]
    lines = [f"{n},{day},{day} 00:00:00,{day} 00:00:00+00" for n, day in enumerate(days[:-1])]
    file = uploads.csv("a.csv", "id,d,at,z", *lines, "4,infinity,infinity,infinity")
    uploads.load(file, headers=headers_of("id d at z"), copy_path=copy_path)
    stored = uploads.rows(columns="id, d::text, at::text, (z AT TIME ZONE 'UTC')::text")
    assert stored[:4] == [(n, day, f"{day} 00:00:00", f"{day} 00:00:00") for n, day in enumerate(days[:-1])]
    assert stored[4] == (4, "infinity", "infinity", "infinity")


UTC = "id, to_char(v AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')"


@pytest.mark.parametrize("copy_path", CopyPath)
def test_an_instant_names_its_zone_or_the_options_do(uploads: Uploads, copy_path: CopyPath) -> None:
    file = one_column(
        uploads, "timestamptz", "2026-01-15 12:00:00+01", "2026-07-15 12:00:00", "2026-07-15T12:00:00Z", ""
    )
    failed = uploads.load_one(file, **V, copy_path=copy_path)
    assert failed.status is FileStatus.FAILED
    assert "line 3, column v: expected an instant with its time zone; --timezone says" in failed.notes
    uploads.load(file, **V, copy_path=copy_path, timezone="Europe/Vienna")
    assert uploads.rows(columns=UTC) == [
        (1, "2026-01-15 11:00"),
        (2, "2026-07-15 10:00"),
        (3, "2026-07-15 12:00"),
        (4, None),
    ]


def test_instants_of_a_zone_given_as_utc(uploads: Uploads) -> None:
    file = one_column(uploads, "timestamptz", "2026-03-29 02:30:00", "2026-07-15")
    uploads.load(file, **V, timezone="UTC")
    assert uploads.rows(columns=UTC) == [(1, "2026-03-29 02:30"), (2, "2026-07-15 00:00")]


@pytest.mark.parametrize("local", ["2026-03-29 02:30:00", "2026-10-25 02:30:00"], ids=["skipped", "repeated"])
def test_an_hour_that_the_clocks_skip_or_repeat_is_no_instant(uploads: Uploads, local: str) -> None:
    file = one_column(uploads, "timestamptz", "2026-03-29 03:30:00", local, f"{local}+01:00", "2026-10-25 03:00:00")
    failed = uploads.load_one(file, **V, timezone="Europe/Vienna")
    assert failed.status is FileStatus.FAILED
    assert "line 3, column v: expected one instant of the time zone" in failed.notes
    assert local in failed.notes
    result = uploads.load_one(file, **V, timezone="Europe/Vienna", bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 4, "inserted": 3, "rejected": 1}
    assert uploads.execute(REJECTS) == [(3, 2, "v", local)]


def test_a_time_without_zone_is_stored_as_it_stands(uploads: Uploads) -> None:
    file = one_column(uploads, "timestamp", "2026-03-29 02:30:00")
    uploads.load(file, **V, timezone="Europe/Vienna")
    assert uploads.rows(columns="id, v::text") == [(1, "2026-03-29 02:30:00")]


@pytest.mark.parametrize("mode", Mode)
def test_nothing_of_a_packed_file_that_breaks_off_is_stored(uploads: Uploads, mode: Mode) -> None:
    whole = uploads.numbered("a.csv", range(20_000)).read_bytes()
    file = uploads.folder / "a.csv.gz"
    file.write_bytes(gzip.compress(whole)[:-100])
    result = uploads.load_one(file, chunk_size=100, mode=mode)
    assert result.status is FileStatus.FAILED
    assert "expected a whole gzip file" in result.notes
    assert uploads.rows() == []
    assert uploads.manifest() == [(str(file), "failed", 0)]
    file.write_bytes(gzip.compress(whole))
    assert told(uploads.load(file, resume=True, mode=mode).counts) == {"read": 20_000, "inserted": 20_000}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"1,one\n2,caf\xe9\n", "line 3"),
        (b'1,one\n2,"never closed\n3,three\n', "line 3"),
        (b'1,one\n2,a"b\n', "line 3"),
        (b"1,one\n2,t\x00wo\n", "line 3"),
        (b"1,one\n2\n", "line 3"),
    ],
    ids=["encoding", "open quote", "stray quote", "nul", "short row"],
)
def test_what_cannot_be_read_names_its_line(uploads: Uploads, content: bytes, said: str) -> None:
    file = uploads.folder / "a.csv"
    file.write_bytes(b"id,name\n" + content)
    result = uploads.load_one(file)
    assert result.status is FileStatus.FAILED
    assert str(file) in result.notes
    assert said in result.notes
    assert uploads.rows() == []


@pytest.mark.parametrize("nul_characters", [NulCharacters.STRIP, NulCharacters.REPLACE])
@pytest.mark.parametrize("copy_path", CopyPath)
def test_nul_characters_that_are_taken_out_are_counted(
    uploads: Uploads, nul_characters: NulCharacters, copy_path: CopyPath
) -> None:
    file = uploads.folder / "a.csv"
    file.write_bytes(b"id,name\n1,o\x00n\x00e\n2,two\n3,\x00\n")
    result = uploads.load_one(file, csv=CsvOptions(nul_characters=nul_characters), copy_path=copy_path, chunk_size=2)
    mark = "" if nul_characters is NulCharacters.STRIP else "\ufffd"
    assert uploads.rows() == [("1", f"o{mark}n{mark}e"), ("2", "two"), ("3", mark)]
    assert told(result.counts) == {"read": 3, "inserted": 3, "nul_characters": 3}
    assert result.notes == "3 NUL characters stripped or replaced"


def test_short_rows_are_filled_up_and_counted(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "id,name", "1,one", "2", "3")
    result = uploads.load_one(file, csv=CsvOptions(tolerant=TolerantMode.NULL))
    assert told(result.counts) == {"read": 3, "inserted": 3, "padded": 2}
    assert uploads.rows() == [("1", "one"), ("2", None), ("3", None)]


@pytest.mark.parametrize("content", [b"", b"id,name\n", b"\xef\xbb\xbfid,name\r\n"], ids=["0 bytes", "header", "BOM"])
def test_a_file_without_rows_is_loaded(uploads: Uploads, content: bytes) -> None:
    file = uploads.folder / "a.csv"
    file.write_bytes(content)
    result = uploads.load_one(file)
    assert (result.status, result.counts.rows_read) == (FileStatus.SUCCESS, 0)
    assert uploads.manifest() == [(str(file), "success", 0)]
