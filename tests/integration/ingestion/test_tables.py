"""Tables of every shape that an upload may meet."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from structlog.testing import capture_logs

from etl.errors import SchemaMismatchError, UsageError
from etl.ingestion.model import BadRows, CsvOptions, FileStatus, Mode, TolerantMode
from tests.integration.ingestion.conftest import Uploads, headers_of, told

pytestmark = pytest.mark.stack


def test_columns_that_nobody_asked_for_are_left_out(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "extra,name,id,more", "x,one,1,y", ",two,2,")
    assert told(uploads.load(file).counts) == {"read": 2, "inserted": 2}
    assert uploads.rows() == [("1", "one"), ("2", "two")]


WITH_NOTE = headers_of("id name note")


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_column_that_one_file_lacks_fails_that_file_and_names_what_there_is(uploads: Uploads, ending: str) -> None:
    whole = written(uploads, f"a.{ending}", {"id": ["1"], "name": ["one"], "note": ["x"]})
    lacking = written(uploads, f"b.{ending}", {"id": ["2"], "name": ["two"], "Note": ["y"]})
    report = uploads.load(whole, lacking, headers=WITH_NOTE)
    assert [each.status.value for each in report.files] == ["success", "failed"]
    assert report.files[1].notes == (
        f"{lacking}: expected column note, which --headers names, found only id, name, Note; "
        "note: did you mean 'Note'?; --tolerant loads the file without"
    )
    assert uploads.rows() == [("1", "one", "x")]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
@pytest.mark.parametrize(("mode", "kept", "new"), [(TolerantMode.NULL, "kept", "new"), (TolerantMode.EMPTY, "", "")])
def test_a_column_that_the_file_lacks_keeps_its_stored_value_or_is_emptied(
    uploads: Uploads, ending: str, mode: TolerantMode, kept: str, new: str
) -> None:
    uploads.execute(
        "CREATE TABLE t (id bigint PRIMARY KEY, name text, note text DEFAULT 'new'); "
        "INSERT INTO t VALUES (1, 'one', 'kept')"
    )
    file = written(uploads, f"a.{ending}", {"name": ["uno", "dos"], "id": ["1", "2"]})
    result = uploads.load_one(file, headers=WITH_NOTE, csv=CsvOptions(tolerant=mode))
    assert told(result.counts) == {"read": 2, "inserted": 1, "updated": 1}
    assert uploads.rows() == [(1, "uno", kept), (2, "dos", new)]
    assert result.notes == "the file has no column note"
    assert uploads.manifest("notes") == [(result.notes,)]


def test_an_empty_text_that_its_column_does_not_take_is_told(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text, note int)")
    options = {"headers": WITH_NOTE, "csv": CsvOptions(tolerant=TolerantMode.EMPTY)}
    result = uploads.load_one(uploads.csv("a.csv", "id,name", "1,one"), **options)
    assert 'line 2, column note: invalid input syntax for type integer: ""' in result.notes
    assert uploads.rows() == []


@pytest.mark.parametrize("tolerant", [None, *TolerantMode])
@pytest.mark.parametrize("is_dry_run", [False, True])
def test_a_column_that_no_file_has_is_refused_and_nothing_written(
    uploads: Uploads, tolerant: TolerantMode | None, is_dry_run: bool
) -> None:
    """A misspelling would be NULL in every row."""
    files = [uploads.csv("a.csv", "id,Name,x", "1,one,1"), uploads.csv("b.csv", "id,Name,y", "2,two,2")]
    options = {"csv": CsvOptions(tolerant=tolerant), "dry_run": is_dry_run}
    with pytest.raises(UsageError) as refused:
        uploads.load(*files, **options)
    assert str(refused.value) == (
        "--headers names 1 column that no file has; nothing was written:\n  name: did you mean 'Name'?"
    )
    assert uploads.execute("SELECT to_regclass('t'), to_regclass('ingestion_manifest')") == [(None, None)]


def test_a_stored_column_may_be_misspelt_in_no_file(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id text PRIMARY KEY, name text)")
    with pytest.raises(UsageError, match="name: did you mean ' name'"):
        uploads.load(uploads.csv("a.csv", "id, name", "1,one"))
    with pytest.raises(UsageError, match="the header is separated by ';': --delimiter semicolon"):
        uploads.load(uploads.csv("b.csv", "id;name", "1;one"))
    assert uploads.rows() == []


def written(uploads: Uploads, name: str, columns: dict[str, list[str]]) -> Path:
    if name.endswith(".csv"):
        return uploads.csv(name, ",".join(columns), *(",".join(row) for row in zip(*columns.values(), strict=True)))
    pq.write_table(pa.table(columns), uploads.folder / name)
    return uploads.folder / name


def test_a_file_without_header_is_read_by_position(uploads: Uploads) -> None:
    file = uploads.csv("a.csv", "1,one", "2,two")
    uploads.load(file, csv=CsvOptions(has_header=False))
    assert uploads.rows() == [("1", "one"), ("2", "two")]


@pytest.mark.parametrize("mode", Mode)
def test_generated_columns_are_read_past(uploads: Uploads, mode: Mode) -> None:
    uploads.execute(
        "CREATE TABLE t (id bigint PRIMARY KEY, price int, doubled int GENERATED ALWAYS AS (price * 2) STORED)"
    )
    file = uploads.csv("a.csv", "id,price,doubled", "1,10,999", "2,20,888")
    result = uploads.load_one(file, headers=headers_of("id price doubled"), mode=mode)
    assert told(result.counts) == {"read": 2, "inserted": 2}
    assert uploads.rows() == [(1, 10, 20), (2, 20, 40)]


def test_what_a_table_does_to_values_is_told(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id char(4) PRIMARY KEY, n int GENERATED ALWAYS AS (1) STORED)")
    with capture_logs() as lines:
        uploads.load(uploads.csv("a.csv", "id,n", "a,5"), headers=headers_of("id n"))
    assert [(line["event"], line["columns"]) for line in lines if "columns" in line] == [
        ("generated columns not written", ["n"]),
        ("char(n) pads values and drops their trailing spaces", ["id"]),
    ]


@pytest.mark.parametrize("kind", ["ALWAYS", "BY DEFAULT"])
def test_identity_keys_take_the_values_of_the_file(uploads: Uploads, kind: str) -> None:
    uploads.execute(f"CREATE TABLE t (id bigint GENERATED {kind} AS IDENTITY PRIMARY KEY, name text)")
    uploads.load(uploads.csv("a.csv", "id,name", "7,one", "8,two"))
    result = uploads.load_one(uploads.csv("b.csv", "id,name", "7,uno", "8,two", "9,three"))
    assert told(result.counts) == {"read": 3, "inserted": 1, "updated": 1, "unchanged": 1}
    assert uploads.rows() == [(7, "uno"), (8, "two"), (9, "three")]


def test_an_identity_that_is_no_key_is_written_once_and_never_changed(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id text PRIMARY KEY, number bigint GENERATED ALWAYS AS IDENTITY, name text)")
    headers = headers_of("id number name")
    uploads.load(uploads.csv("a.csv", "id,number,name", "a,70,one"), headers=headers)
    uploads.load(uploads.csv("b.csv", "id,number,name", "a,71,uno"), headers=headers)
    assert uploads.rows() == [("a", 70, "uno")]


@pytest.mark.parametrize("kind", ["bigint GENERATED ALWAYS AS IDENTITY", "bigserial"])
def test_sequences_are_advanced_on_request(uploads: Uploads, kind: str) -> None:
    uploads.execute(f"CREATE TABLE t (id {kind} PRIMARY KEY, name text)")
    uploads.load(uploads.numbered("a.csv", range(1, 100)), advance_sequences=True)
    assert uploads.execute("INSERT INTO t (name) VALUES ('next') RETURNING id") == [(100,)]
    uploads.load(uploads.numbered("b.csv", range(1, 50)), advance_sequences=True)
    assert uploads.execute("INSERT INTO t (name) VALUES ('next') RETURNING id") == [(101,)]


def test_a_table_of_key_columns_only(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint, name text, PRIMARY KEY (id, name))")
    options = {"primary_key": ("id", "name")}
    assert told(uploads.load(uploads.csv("a.csv", "id,name", "1,a", "1,b"), **options).counts) == {
        "read": 2,
        "inserted": 2,
    }
    again = uploads.load(uploads.csv("b.csv", "id,name", "1,b", "2,a"), **options)
    assert told(again.counts) == {"read": 2, "inserted": 1, "unchanged": 1}
    assert uploads.rows() == [(1, "a"), (1, "b"), (2, "a")]


def test_a_key_of_several_columns_in_any_order(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (day date, id bigint, name text, UNIQUE (id, day))")
    options = {"primary_key": ("day", "id"), "headers": headers_of("id day name")}
    uploads.load(uploads.csv("a.csv", "id,day,name", "1,2026-01-01,a", "1,2026-01-02,b"), **options)
    again = uploads.load(uploads.csv("b.csv", "id,day,name", "1,2026-01-02,c", "2,2026-01-02,d"), **options)
    assert told(again.counts) == {"read": 2, "inserted": 1, "updated": 1}
    assert uploads.rows(columns="day::text, id, name") == [
        ("2026-01-01", 1, "a"),
        ("2026-01-02", 1, "c"),
        ("2026-01-02", 2, "d"),
    ]


@pytest.mark.parametrize("table", ['other."order"', 'other."Mixed_Case"', 'public."t"', '"_uploader_"'])
def test_names_are_kept_exactly(uploads: Uploads, table: str) -> None:
    """Reserved words, upper case, and a column called as its table."""
    name = table.replace('"', "")
    column = name.rpartition(".")[2]
    uploads.execute(f'CREATE SCHEMA other; CREATE TABLE {table} ("Id" bigint PRIMARY KEY, "{column}" text)')
    options = {"table": name, "headers": headers_of(f"Id {column}"), "primary_key": ("Id",)}
    uploads.load(uploads.csv("a.csv", f"Id,{column}", "1,one"), **options)
    result = uploads.load_one(uploads.csv("b.csv", f"{column},Id", "uno,1", "two,2"), **options)
    assert told(result.counts) == {"read": 2, "inserted": 1, "updated": 1}
    assert uploads.rows(table) == [(1, "uno"), (2, "two")]


def test_a_table_is_made_with_its_name_kept_exactly(uploads: Uploads) -> None:
    uploads.execute("CREATE SCHEMA other")
    uploads.load(
        uploads.csv("a.csv", "Order,User", "1,one"),
        table="other.Order",
        headers=headers_of("Order User"),
        primary_key=("Order",),
    )
    assert uploads.rows('other."Order"', '"Order", "User"') == [("1", "one")]


@pytest.mark.parametrize("columns", ["id bigint, name text", "name text, id bigint"], ids=["alike", "in another order"])
@pytest.mark.parametrize("mode", Mode)
def test_a_partitioned_table(uploads: Uploads, mode: Mode, columns: str) -> None:
    uploads.execute(
        f"""CREATE TABLE t (id bigint, name text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
        CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100);
        CREATE TABLE t_high (note text, {columns.replace("id bigint", "id bigint NOT NULL")});
        ALTER TABLE t_high DROP COLUMN note;
        ALTER TABLE t ATTACH PARTITION t_high FOR VALUES FROM (100) TO (1000)"""
    )
    result = uploads.load_one(uploads.numbered("a.csv", (1, 2, 101, 102)), mode=mode)
    assert told(result.counts) == {"read": 4, "inserted": 4}
    file = uploads.csv("b.csv", "id,name", "1,uno", "2,name 2", "3,tres", "101,mil", "102,name 102", "103,mas")
    result = uploads.load_one(file)
    assert told(result.counts) == {"read": 6, "inserted": 2, "updated": 2, "unchanged": 2}
    assert uploads.execute("SELECT count(*) FROM t_high") == [(3,)]


def test_a_row_without_partition_fails_its_file(uploads: Uploads) -> None:
    uploads.execute(
        "CREATE TABLE t (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id); "
        "CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100)"
    )
    result = uploads.load_one(uploads.numbered("a.csv", (1, 101)))
    assert result.status is FileStatus.FAILED
    assert "no partition" in result.notes
    assert uploads.rows() == []


@pytest.mark.parametrize("mode", Mode)
def test_triggers_fire_for_every_row_written(uploads: Uploads, mode: Mode) -> None:
    uploads.execute(
        """CREATE TABLE t (id bigint PRIMARY KEY, name text);
        CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$;
        CREATE TRIGGER shouts BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION shout()"""
    )
    result = uploads.load_one(uploads.csv("a.csv", "id,name", "1,one", "2,two"), mode=mode)
    assert told(result.counts) == {"read": 2, "inserted": 2}
    assert uploads.rows() == [(1, "ONE"), (2, "TWO")]


@pytest.mark.parametrize("table", ["t", "t_low"], ids=["table", "partition"])
@pytest.mark.parametrize("mode", Mode)
def test_rows_that_a_trigger_swallows_are_not_counted_as_loaded(uploads: Uploads, mode: Mode, table: str) -> None:
    uploads.execute(
        f"""CREATE TABLE t (id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id);
        CREATE TABLE t_low PARTITION OF t FOR VALUES FROM (0) TO (100);
        CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN IF NEW.id = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$;
        CREATE TRIGGER swallows BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION swallow()"""
    )
    result = uploads.load_one(uploads.numbered("a.csv", (1, 2, 3)), mode=mode)
    assert result.status is FileStatus.FAILED
    assert "found 1 that are not" in result.notes
    assert uploads.rows() == []


def test_row_security_decides_which_rows_may_be_written(uploads: Uploads) -> None:
    uploads.execute(
        """CREATE TABLE t (id bigint PRIMARY KEY, name text);
        ALTER TABLE t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
        CREATE POLICY low ON t USING (id < 100)"""
    )
    assert told(uploads.load(uploads.numbered("a.csv", (1, 2))).counts) == {"read": 2, "inserted": 2}
    assert told(uploads.load(uploads.numbered("a.csv", (1, 2))).counts) == {"read": 2, "unchanged": 2}
    result = uploads.load_one(uploads.numbered("b.csv", (3, 101)))
    assert result.status is FileStatus.FAILED
    assert "row-level security" in result.notes
    assert uploads.rows() == [(1, "name 1"), (2, "name 2")]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("CREATE VIEW t AS SELECT 1::bigint AS id, ''::text AS name", "a view"),
        ("CREATE MATERIALIZED VIEW t AS SELECT 1::bigint AS id, ''::text AS name", "a materialized view"),
        ("CREATE SEQUENCE t", "a sequence"),
    ],
)
def test_what_is_no_table_is_refused(uploads: Uploads, statement: str, kind: str) -> None:
    uploads.execute(statement)
    with pytest.raises(UsageError, match=f"expected t to be a table, found {kind}"):
        uploads.load(uploads.csv("a.csv", "id,name", "1,one"))


def test_every_mismatch_is_named_at_once(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint, name text, price numeric(5,2), born date, must int NOT NULL)")
    file = uploads.csv("a.csv", "id,name,price,born,lost", "1,one,1,2026-01-01,x")
    headers = headers_of("id:bigint name:text price:boolean born:bigint lost:text")
    with pytest.raises(SchemaMismatchError) as caught:
        uploads.load(file, headers=headers, preserve_types=True)
    message = caught.value.message
    assert "column lost: not in the table" in message
    assert "column must: NOT NULL without a default" in message
    assert "column price: the table has numeric(5,2), the files bring boolean" in message
    assert "column born: the table has date, the files bring bigint" in message
    assert 'CREATE UNIQUE INDEX CONCURRENTLY ON "public"."t" ("id")' in message
    assert uploads.rows(columns="id, name") == []


@pytest.mark.parametrize(
    "index",
    [
        "CREATE INDEX ON t (id)",
        "CREATE UNIQUE INDEX ON t (id) WHERE name IS NOT NULL",
        "CREATE UNIQUE INDEX ON t ((id + 1))",
        "CREATE UNIQUE INDEX ON t (id, name)",
        "ALTER TABLE t ADD UNIQUE (id) DEFERRABLE",
    ],
)
def test_an_index_that_cannot_decide_an_upsert_is_no_key(uploads: Uploads, index: str) -> None:
    uploads.execute(f"CREATE TABLE t (id bigint, name text); {index}")
    with pytest.raises(SchemaMismatchError, match=r"key \(id\): no unique index"):
        uploads.load(uploads.csv("a.csv", "id,name", "1,one"))


def test_an_index_with_more_columns_than_its_key_decides(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint NOT NULL, name text); CREATE UNIQUE INDEX ON t (id) INCLUDE (name)")
    uploads.load(uploads.csv("a.csv", "id,name", "1,one"))
    assert told(uploads.load(uploads.csv("b.csv", "id,name", "1,uno")).counts) == {"read": 1, "updated": 1}


def test_a_parquet_file_that_does_not_fit_fails_alone(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text)")
    good, bad = uploads.folder / "a.parquet", uploads.folder / "b.parquet"
    pq.write_table(pa.table({"id": pa.array([1]), "name": ["one"]}), good)
    pq.write_table(pa.table({"id": pa.array([True]), "name": ["two"]}), bad)
    report = uploads.load(good, bad, preserve_types=True)
    assert [file.status.value for file in report.files] == ["success", "failed"]
    assert "column id" in report.files[1].notes
    assert uploads.rows() == [(1, "one")]


def test_another_unique_key_fails_only_the_file_that_breaks_it(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id bigint PRIMARY KEY, name text CONSTRAINT one_name_each UNIQUE)")
    uploads.load(uploads.csv("a.csv", "id,name", "1,Ann"))
    bad, good = uploads.csv("b.csv", "id,name", "2,Bob", "3,Ann"), uploads.csv("c.csv", "id,name", "4,Cid")
    report = uploads.load(bad, good)
    assert [file.status.value for file in report.files] == ["failed", "success"]
    assert "one_name_each" in report.files[0].notes
    assert report.retries == 0
    assert uploads.rows() == [(1, "Ann"), (4, "Cid")]


@pytest.mark.parametrize("when", ["", "DEFERRABLE INITIALLY DEFERRED"], ids=["at once", "at COMMIT"])
def test_a_child_before_its_parent_fails_by_the_constraints_name(uploads: Uploads, when: str) -> None:
    uploads.execute(
        "CREATE TABLE p (id bigint PRIMARY KEY); "
        f"CREATE TABLE t (id bigint PRIMARY KEY, name bigint CONSTRAINT has_parent REFERENCES p {when})"
    )
    result = uploads.load_one(uploads.csv("a.csv", "id,name", "1,5"))
    assert result.status is FileStatus.FAILED
    assert "has_parent" in result.notes
    assert uploads.rows() == []


def test_types_of_the_tables_own_are_checked(uploads: Uploads) -> None:
    uploads.execute(
        "CREATE SCHEMA other; CREATE TYPE other.mood AS ENUM ('good', 'bad'); "
        "CREATE DOMAIN even AS int CHECK (VALUE % 2 = 0); CREATE TABLE t (id even PRIMARY KEY, name other.mood[])"
    )
    file = uploads.csv("a.csv", "id,name", "2,{good}", "3,{good}", '4,"{good,bad}"', "6,{worse}")
    failed = uploads.load_one(file)
    assert "line 3, column id" in failed.notes
    result = uploads.load_one(file, bad_rows=BadRows.REJECT)
    assert told(result.counts) == {"read": 4, "inserted": 2, "rejected": 2}
    assert uploads.rows(columns="id, name::text") == [(2, "{good}"), (4, "{good,bad}")]
    assert told(uploads.load(uploads.csv("b.csv", "id,name", "2,{bad}", '4,"{good,bad}"')).counts) == {
        "read": 2,
        "updated": 1,
        "unchanged": 1,
    }


def test_columns_may_be_called_like_the_uploaders_own(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (_position bigint PRIMARY KEY, _unused_0 int, s text)")
    file = uploads.csv("a.csv", "_position,_unused_0,s", "1,1,a", "2,x,b")
    result = uploads.load_one(
        file,
        headers=headers_of("_position _unused_0 s"),
        primary_key=("_position",),
        bad_rows=BadRows.REJECT,
    )
    assert told(result.counts) == {"read": 2, "inserted": 1, "rejected": 1}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("json", "data type json has no default operator class"),
        ("varchar(99999999)", "length for type varchar cannot exceed"),
        ("numeric(2000,5)", "NUMERIC precision 2000 must be between"),
    ],
)
def test_a_table_that_cannot_be_created_is_refused(uploads: Uploads, kind: str, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        uploads.load(uploads.numbered("a.csv", (1,)), headers=headers_of(f"id:{kind} name"), preserve_types=True)
    assert said in refused.value.message
    assert "the table t cannot be created" in refused.value.message
    assert uploads.manifest() == []


def test_whatever_is_refused_before_the_first_row_is_one_kind(uploads: Uploads) -> None:
    """An event trigger, a lock, a view of the manifest's name."""
    uploads.execute("CREATE VIEW ingestion_manifest AS SELECT 1 AS x")
    with pytest.raises(UsageError):
        uploads.load(uploads.numbered("a.csv", (1,)))


def test_sequences_that_cannot_be_advanced_lose_no_report(uploads: Uploads) -> None:
    uploads.execute("CREATE TABLE t (id smallserial PRIMARY KEY, name text); ALTER TABLE t ALTER id TYPE bigint")
    report = uploads.load(uploads.numbered("a.csv", (40_000,)), advance_sequences=True)
    assert [file.status for file in report.files] == [FileStatus.SUCCESS]
    assert "the rows are loaded, but not all sequences advanced: advance the sequences: setval" in report.notes
    assert not report.is_success
    assert uploads.rows() == [(40_000, "name 40000")]
