"""What a source does to its tables between two runs, and what all three stores make of it alike."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from etl.load import many_partitions
from etl.rejects.__main__ import app
from tests.integration.pipeline.conftest import STORES, Shop, Stores, counted, everywhere, load_of, status_of

pytestmark = pytest.mark.stack

TABLES = ("ref", "merged", "kept")


def test_rows_that_are_gone_from_the_source_go_from_every_store_alike(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deleted, then emptied: a reference table, a merged one that is read whole, one that never deletes."""
    shop = stores.shop
    updated = "updated_at timestamptz NOT NULL DEFAULT now(), created_at timestamptz NOT NULL DEFAULT '2026-01-01'"
    shop.source(
        "CREATE TABLE ref (id int PRIMARY KEY, name text UNIQUE);"
        f"CREATE TABLE merged (id int PRIMARY KEY, name text, {updated});"
        f"CREATE TABLE kept (id int PRIMARY KEY, name text, {updated});"
        + "".join(f"INSERT INTO {t} (id, name) SELECT g, 'n' || g FROM generate_series(1, 5) g;" for t in TABLES)
    )
    stores.configure(
        {
            "ref": "",
            "merged": "kind: snapshot, extract: {mode: full}, vanished_rows: delete, clickhouse: {partition_by: null}",
            "kept": "kind: snapshot",
        }
    )
    assert stores.run()[0] == 0

    shop.source("".join(f"DELETE FROM {table} WHERE id IN (2, 4);" for table in TABLES))
    shop.source("INSERT INTO ref VALUES (6, 'n2')")
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert stores.rows("ref", "id, name") == everywhere([(1, "n1"), (3, "n3"), (5, "n5"), (6, "n2")])
    assert stores.rows("merged", "id", "delta") == everywhere([(1,), (3,), (5,)])
    assert stores.rows("kept", "id", "delta") == everywhere([(g,) for g in range(1, 6)])
    for table in ("ref", "merged"):
        assert counted(report, table, "rows_deleted") == dict.fromkeys(STORES, 2)
        assert counted(report, table, "vanished_rows") == dict.fromkeys(STORES, "delete")
    assert counted(report, "kept", "vanished_rows") == dict.fromkeys(STORES, "keep")
    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}

    shop.source("".join(f"TRUNCATE {table};" for table in TABLES))
    capsys.readouterr()
    stores.run("--dry-run")
    said = capsys.readouterr().out
    assert "  rows that are gone from the source are deleted (at most 50%)" in said
    assert "  rows that are gone from the source stay: only what was added or changed is read" in said

    exit_code, report = stores.run()
    assert exit_code == 1
    assert counted(report, "ref", "status") == dict.fromkeys(STORES, "failed")
    for store, error in counted(report, "ref", "error").items():
        assert error.startswith("ref: expected at most 50% of the 4 rows of "), store
        assert "found 4; nothing was written" in error and "--maximum-deleted 100%" in error
    assert stores.rows("ref", "id") == everywhere([(1,), (3,), (5,), (6,)])

    exit_code, report = stores.run("--resume", report["run_id"], "--maximum-deleted", "100%")
    assert exit_code == 0, report
    assert stores.rows("ref", "id") == stores.rows("merged", "id", "delta") == everywhere([])
    assert len(stores.rows("kept", "id", "delta")["postgresql"]) == 5
    assert counted(report, "ref", "rows_deleted") == dict.fromkeys(STORES, 4)
    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}


def test_a_parent_that_is_gone_stays_in_postgresql_as_long_as_a_row_refers_to_it(shop: Shop) -> None:
    """A tree that refers to itself, and a child that is never deleted."""
    shop.source(
        "CREATE TABLE parent (id int PRIMARY KEY, above int REFERENCES parent DEFERRABLE);"
        "CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent, updated_at timestamptz DEFAULT now());"
        "INSERT INTO parent VALUES (1, 1), (2, 1), (3, 2), (4, NULL), (5, NULL), (6, NULL), (7, NULL), (8, NULL);"
        "INSERT INTO child VALUES (1, 4), (2, 5)"
    )
    child = "kind: snapshot, date_column: null, s3: {partition_by: null}, clickhouse: {partition_by: null}"
    shop.tables(f"tables: {{parent: {{}}, child: {{{child}}}}}")
    assert shop.run(destinations="postgresql")[0] == 0
    shop.source("DELETE FROM child WHERE id = 1; UPDATE parent SET above = NULL; DELETE FROM parent WHERE id < 5")
    exit_code, report = shop.run("--maximum-deleted", "5", destinations="postgresql")
    load = load_of(report, "parent", "postgresql")
    assert (exit_code, load["rows_deleted"]) == (0, 3), report
    assert shop.target("SELECT id FROM parent ORDER BY 1") == [(4,), (5,), (6,), (7,), (8,)]
    assert load["notes"] == [
        "1 rows that are gone from the source stay, since rows of public.child, public.parent refer to them; "
        "the next run tries again"
    ]
    shop.target("DELETE FROM child WHERE id = 1")
    exit_code, report = shop.run(destinations="postgresql")
    assert (exit_code, load_of(report, "parent", "postgresql")["rows_deleted"]) == (0, 1)
    assert status_of(shop.run(destinations="postgresql")[1])["parent", "postgresql"] == "unchanged"


def test_a_table_most_of_whose_rows_break_a_rule_fails_and_its_mark_stays(shop: Shop) -> None:
    shop.source(
        "CREATE TABLE one (id int PRIMARY KEY, name text, updated_at timestamptz NOT NULL);"
        "INSERT INTO one SELECT g, 'n' || g, '2026-01-01' FROM generate_series(1, 4) g"
    )
    entry = "one: {kind: snapshot, date_column: null, s3: {partition_by: null}, clickhouse: {partition_by: null}"
    shop.tables(f"tables:\n  {entry}, transform: {{rules: {{even: id % 2 = 0, small: id < 4}}}}}}")
    said = (
        "one: expected at most 50% of the 4 rows read to break a rule (maximum_rejected), found 3: "
        "rule:even (2, such as 'not id % 2 = 0'); rule:small (1, such as 'not id < 4')"
    )
    assert shop.run("--dry-run")[0] == 0
    exit_code, report = shop.run()
    assert (exit_code, {load["error"].startswith(said) for load in report["loads"]}) == (1, {True}), report
    assert shop.ledger.watermarks() == {} and shop.ledger.count_rejects() == 0
    exit_code, report = shop.run("--resume", report["run_id"], "--maximum-rejected", "3")
    assert (exit_code, load_of(report, "one", "s3")["rows_rejected"], shop.ledger.count_rejects()) == (0, 3, 3)


def test_rows_of_a_mended_rule_are_read_again(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """From their place in the source, although the mark has moved past them; into the stores that lack them."""
    for name, value in shop.environ.items():
        monkeypatch.setenv(name, value)
    for name in ("ETL_CLICKHOUSE_URL", "ETL_S3_ENDPOINT", "ETL_S3_BUCKET"):
        monkeypatch.delenv(name)
    shop.source(
        "CREATE TABLE one (id int PRIMARY KEY, secret text, updated_at timestamptz NOT NULL);"
        "INSERT INTO one SELECT g, 's' || g, timestamptz '2026-01-01' + g * interval '1 day'"
        "FROM generate_series(1, 6) AS g"
    )
    entry = "one: {kind: snapshot, date_column: null, s3: {partition_by: null}, clickhouse: {partition_by: null}"
    masked = "transform: {mask: {secret: all}, rules: {even: id % 2 = 0 OR id"
    shop.tables(f"tables:\n  {entry}, {masked} > 9}}}}}}")
    assert shop.run(destinations="postgresql")[0] == 0
    marks = {each.destination: each.mark for each in shop.ledger.watermarks().values()}

    def retry(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["retry", *arguments, "--config-dir", str(shop.folder)])
        return result.exit_code, result.output

    assert retry("--rule", "rule:evn") == (
        2,
        "expected a rule of rejected rows, found 'rule:evn'; did you mean 'rule:even'?\n",
    )
    shop.tables(f"tables:\n  {entry}, {masked} = 3}}}}}}")
    exit_code, said = retry("--rule", "rule:even")
    assert exit_code == 1
    assert "one: 3 rows of rule:even were read again" in said and "2 are rejected again" in said
    assert [row for (row,) in shop.target("SELECT id FROM one ORDER BY 1")] == [2, 3, 4, 6]
    shop.tables(f"tables:\n  {entry}, {masked} < 9}}}}}}")
    exit_code, said = retry("--rule", "rule:even", "--table", "one")
    assert exit_code == 0 and "; postgresql: 2 loaded; 0 are rejected again" in said
    assert shop.target("SELECT status, count(*) FROM etl.rejects GROUP BY 1") == [("resolved", 5)]
    assert len({secret for (secret,) in shop.target("SELECT secret FROM one")}) == 1
    assert {each.destination: each.mark for each in shop.ledger.watermarks().values()} == marks
    assert retry("--rule", "rule:even")[0] == 2


def test_a_changed_source_means_the_same_to_every_store_and_is_told_once(
    stores: Stores, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = stores.shop
    times = "created_at timestamptz NOT NULL DEFAULT '2026-01-01', updated_at timestamptz NOT NULL DEFAULT now()"
    shop.source(
        f"CREATE TABLE altered (id int PRIMARY KEY, name text NOT NULL, v text NOT NULL, {times});"
        "CREATE TABLE ref (id int PRIMARY KEY, legacy text NOT NULL, v text);"
        "INSERT INTO altered VALUES (1, 'old', 'v'); INSERT INTO ref VALUES (1, 'old', 'v')"
    )
    stores.configure({"altered": "kind: snapshot, extract: {overlap_seconds: 0}", "ref": ""})
    assert stores.run()[0] == 0

    shop.source(
        "ALTER TABLE altered RENAME name TO full_name; ALTER TABLE altered ALTER v DROP NOT NULL;"
        "INSERT INTO altered VALUES (2, 'new', NULL);"
        "ALTER TABLE ref DROP legacy; INSERT INTO ref VALUES (2, 'new')"
    )
    exit_code, report = stores.run()
    assert exit_code == 0, report
    old, new = (1, "old", None, "v"), (2, None, "new", None)
    assert stores.rows("altered", "id, name, full_name, v", "delta") == everywhere([old, new])
    assert stores.rows("ref", "id, legacy, v") == everywhere([(1, None, "v"), (2, None, "new")])
    partly = (
        "it stays in the store, rows loaded from now on hold NULL there, those loaded before keep theirs until a load "
        "with --full-refresh"
    )
    told = [
        f"the source has no column name any more: {partly}. If it is called full_name now, "
        "`transform: {rename: {full_name: name}}` goes on with one column",
        "the source has a new column full_name (text)",
        "column v may be NULL at the source now",
    ]
    assert counted(report, "altered", "notes") == dict.fromkeys(STORES, told)
    whole = "the source has no column legacy any more: it stays in the store and holds NULL in every row"
    assert counted(report, "ref", "notes") == {store: [whole] for store in STORES}
    said = capsys.readouterr()
    assert "source changed" in said.err + said.out and "configuration changed" not in said.err + said.out

    shop.source("INSERT INTO ref VALUES (3, 'newer')")
    _, report = stores.run("--tables", "ref")
    assert stores.rows("ref", "id, legacy") == everywhere([(1, None), (2, None), (3, None)])
    assert counted(report, "ref", "notes") == {store: [] for store in STORES}


def test_a_type_that_grew_at_the_source_grows_in_every_store(
    stores: Stores, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a table that is overwritten and in one that is merged; its many days are told, too."""
    monkeypatch.setattr(many_partitions, "MANY_PARTITIONS", 1)
    shop = stores.shop
    columns = "id int PRIMARY KEY, n int, f real, v varchar(3), d numeric(10,2), created_at timestamptz NOT NULL"
    first = "(1, 5, 1.5, 'abc', 2.25, '2026-01-01')"
    shop.source(
        f"CREATE TABLE ref ({columns}); CREATE TABLE merged ({columns}, updated_at timestamptz NOT NULL DEFAULT now());"
        f"INSERT INTO ref VALUES {first}; INSERT INTO merged VALUES {first}"
    )
    by_day = "kind: snapshot, clickhouse: {partition_by: toYYYYMMDD(created_at), order_by: [id]}"
    stores.configure({"ref": "", "merged": by_day})
    assert stores.run()[0] == 0
    second = "(2, 5000000000, 0.1, 'abcdef', 9999999999.25, '2026-02-01'), (3, 1, 1, 'x', 1, '2026-02-02')"
    grown = "ALTER n TYPE bigint, ALTER f TYPE double precision, ALTER v TYPE text, ALTER d TYPE numeric(12,2)"
    shop.source("".join(f"ALTER TABLE {t} {grown}; INSERT INTO {t} VALUES {second};" for t in ("ref", "merged")))
    capsys.readouterr()
    assert stores.run("--dry-run")[0] == 0
    said = capsys.readouterr().out
    assert said.count("the rows fall into 3 partitions of created_at") == 2
    assert "column n has the type bigint at the source now; it was integer" in said
    exit_code, report = stores.run()
    assert exit_code == 0, report
    wanted = [
        (1, 5, 1.5, "abc", Decimal("2.25")),
        (2, 5_000_000_000, 0.1, "abcdef", Decimal("9999999999.25")),
        (3, 1, 1.0, "x", Decimal("1.00")),
    ]
    assert stores.rows("ref", "id, n, f, v, d") == everywhere(wanted)
    assert stores.rows("merged", "id, n, f, v, d", "delta") == everywhere(wanted)
    for table in ("ref", "merged"):
        for notes in counted(report, table, "notes").values():
            assert "column d has the type numeric(12,2) at the source now; it was numeric(10,2)" in notes
    for store, note in (("s3", "partition_date"), ("clickhouse", "toYYYYMMDD(created_at)")):
        [told] = [note for note in load_of(report, "merged", store)["notes"] if "partitions of" in note]
        assert f"(partition_by: {note})" in told


def test_columns_of_files_are_followed_as_those_of_a_table(stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    """Of Parquet, whose files say what they have, and of CSV, whose entry does."""
    folder = stores.shop.folder
    parquet, csv = folder / "in.parquet", folder / "in.csv"

    def configure(columns: str) -> None:
        source = f"source: {{type: file, format: csv, path: {csv}, columns: {{{columns}}}}}"
        stores.configure({"alpha": f"source: {{type: file, format: parquet, path: {parquet}}}", "beta": f"{source}"})
        path = folder / "tables" / "shop.yaml"
        path.write_text(path.read_text().replace(f"source: {{schema_name: {stores.shop.name}}}", "source: {}"))

    pq.write_table(pa.table({"id": pa.array([1], "int32"), "legacy": ["old"], "n": pa.array([1], "int32")}), parquet)
    csv.write_text("id,legacy,v\n1,old,v\n")
    configure("id: int, legacy: text, v: text")
    assert stores.run()[0] == 0
    pq.write_table(pa.table({"id": pa.array([1], "int32"), "n": pa.array([2**40]), "fresh": ["x"]}), parquet)
    csv.write_text("id,v\n1,v\n")
    configure("id: int, v: text")
    capsys.readouterr()
    assert stores.run("--dry-run")[0] == 0
    assert capsys.readouterr().out.count("the source has no column legacy any more") == 6
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert stores.rows("alpha", "id, legacy, n, fresh") == everywhere([(1, None, 2**40, "x")])
    assert stores.rows("beta", "id, legacy, v") == everywhere([(1, None, "v")])
    whole = "the source has no column legacy any more: it stays in the store and holds NULL in every row"
    renamed = f"{whole}. If it is called fresh now, `transform: {{rename: {{fresh: legacy}}}}` goes on with one column"
    assert counted(report, "beta", "notes") == {store: [whole] for store in STORES}
    told = [
        renamed,
        "the source has a new column fresh (text)",
        "column n has the type bigint at the source now; it was integer",
    ]
    assert counted(report, "alpha", "notes") == dict.fromkeys(STORES, told)
    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}


def test_duplicates_by_a_former_key_name_the_key_of_the_source(shop: Shop) -> None:
    shop.source(
        "CREATE TABLE one (id int, day date, name text, PRIMARY KEY (id, day));"
        "INSERT INTO one VALUES (1, '2026-01-01', ' a '), (1, '2026-01-02', 'b')"
    )
    shop.tables("tables: {one: {transform: {trim: true}}}")
    exit_code, report = shop.run(destinations="s3")
    assert exit_code == 1
    assert (
        "such as id=1; the source's primary key is (id, day), the entry's key (id): write `key: [id, day]`"
        in (load_of(report, "one", "s3")["error"])
    )
    shop.tables("tables: {one: {key: [id, day], transform: {trim: true}}}")
    exit_code, report = shop.run(destinations="s3")
    assert (exit_code, load_of(report, "one", "s3")["rows_trimmed"]) == (0, 1)
