"""The steps of a table's entry, one after the other, and what becomes of the rows that break a rule."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from chispa import assert_df_equality
from pyspark.sql import SparkSession
from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    IntegerType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.errors import ConfigurationError, SourceError
from etl.ledger.values import Reject
from etl.model import (
    POSTGRESQL_TYPE,
    UNREADABLE,
    WATERMARK,
    ColumnDefinition,
    Destination,
    ForeignKey,
    TableDefinition,
    VanishedRows,
    WriteMode,
)
from etl.transform.outcome import OUTCOME, REASON, ROW, RULE, TRIMMED
from tests.unit.transform.conftest import MakeFrame, file_table, outcomes, postgresql_table, refusals, transform

KEYED = TableDefinition("things", (ColumnDefinition("id", "integer", nullable=False),), primary_key=("id",))


def test_every_row_comes_back_once_with_the_hidden_columns(frame: MakeFrame) -> None:
    df = frame(f"id int, name string, {WATERMARK} int", (1, "a", 7), (2, "b", 8))
    result = transform(postgresql_table(), df, KEYED)
    assert result.tagged.columns == ["id", "name", OUTCOME, RULE, REASON, ROW, WATERMARK]
    assert_df_equality(result.good, frame("id int not null, name string", (1, "a"), (2, "b")), ignore_nullable=True)
    assert outcomes(result) == [(1, "good", None), (2, "good", None)]


def test_steps_apply_in_order(frame: MakeFrame) -> None:
    table = file_table(
        key=("k",),
        transform={
            "rename": {"id": "k"},
            "cast": {"price": "numeric(6,2)"},
            "default": {"price": 0},
            "derive": {"gross": "price * 2", "gross_plus_one": "gross + 1"},
            "filter": "gross < 1000",
            "drop": ["note"],
        },
    )
    df = frame("id int, price string, note string", (1, "1.005", "x"), (2, None, "y"), (3, "600", "z"))
    result = transform(table, df)
    expected = [(1, Decimal("1.01"), Decimal("2.02"), Decimal("3.02")), (2, Decimal(0), Decimal(0), Decimal(1))]
    assert sorted(map(tuple, result.good.collect())) == expected
    assert outcomes(result, "k") == [(1, "good", None), (2, "good", None), (3, "filtered", "filter")]


def test_where_text_is_trimmed_keys_and_typed_text_are_not(frame: MakeFrame) -> None:
    definition = TableDefinition(
        "things",
        tuple(ColumnDefinition(name, "text") for name in ("id", "code", "parent", "name", "uuid")),
        primary_key=("id",),
        unique_keys=(("code",),),
        foreign_keys=(ForeignKey(("parent",), "parents", ("id",)),),
    )
    df = frame(
        "id string, code string, parent string, name string, uuid string",
        (" i ", " c ", " p ", "\u00a0 a\x07b\tc\nd \u2003", " u "),
    )
    schema = StructType([*df.schema.fields[:4], StructField("uuid", StringType(), True, {POSTGRESQL_TYPE: "uuid"})])
    result = transform(postgresql_table(transform={"trim": True}), df.to(schema), definition)
    assert result.good.collect() == [(" i ", " c ", " p ", "ab\tc\nd", " u ")]


def test_trim_can_name_its_columns_is_off_unless_asked_for_and_counts_its_rows(frame: MakeFrame) -> None:
    df = frame("id string, a string, b string", (" i ", " a ", " b "), ("j", "a", " b "), ("k", None, " b "))
    named = transform(file_table(transform={"trim": ["id", "a"]}), df)
    assert named.good.collect() == [("i", "a", " b "), ("j", "a", " b "), ("k", None, " b ")]
    assert [row[TRIMMED] for row in named.tagged.collect()] == [True, False, False]
    untouched = transform(file_table(), df)
    assert untouched.good.collect() == df.collect()
    assert TRIMMED not in untouched.tagged.columns


def test_rows_that_break_a_rule_say_which_and_why(frame: MakeFrame) -> None:
    table = file_table(
        {"id": "int", "kind": "text", "n": "int"},
        transform={"required": ["kind"], "allowed": {"kind": ["a", "b"]}, "rules": {"small": "n < 10"}},
    )
    df = frame("id string, kind string, n string", ("1", "a", "1"), ("2", None, "1"), ("3", "z", "1"), ("4", "a", "10"))
    assert refusals(transform(table, df)) == [
        ("allowed:kind", "kind is none of a, b: z", '{"id":"3","kind":"z","n":"1"}'),
        ("required:kind", "kind is NULL", '{"id":"2","kind":null,"n":"1"}'),
        ("rule:small", "not n < 10", '{"id":"4","kind":"a","n":"10"}'),
    ]


def test_a_rule_that_is_null_passes_and_a_filter_that_is_null_does_not(frame: MakeFrame) -> None:
    df = frame("id int, n int", (1, None))
    assert outcomes(transform(file_table(transform={"rules": {"r": "n < 10"}}), df)) == [(1, "good", None)]
    assert outcomes(transform(file_table(transform={"filter": "n < 10"}), df)) == [(1, "filtered", "filter")]


def test_normalized_case_meets_the_spelling_of_the_list(frame: MakeFrame) -> None:
    table = file_table(transform={"trim": False, "normalize_case": ["kind"], "allowed": {"kind": ["New", "Old"]}})
    df = frame("id int, kind string", (1, " NEW "), (2, "old"), (3, "other"))
    result = transform(table, df)
    assert sorted(map(tuple, result.good.collect())) == [(1, "New"), (2, "Old")]
    assert outcomes(result)[2] == (3, "rejected", "allowed:kind")


def test_personal_data_stays_out_of_rejects(frame: MakeFrame) -> None:
    table = file_table(
        {"id": "int", "mail": "varchar(5)", "uid": "uuid", "secret": "int"},
        transform={"mask": {"mail": "email"}, "hash": ["uid"], "drop": ["secret"]},
    )
    df = frame(
        "id string, mail string, uid string, secret string",
        ("1", "jane@example.org", None, None),
        ("2", None, "no-uuid", None),
        ("3", None, None, "hush"),
    )
    reasons = [(rule, reason) for rule, reason, _ in refusals(transform(table, df))]
    rows = " ".join(row for *_, row in refusals(transform(table, df)))
    assert reasons == [
        ("cast:mail", "mail is no character varying(5)"),
        ("cast:secret", "secret is no integer"),
        ("cast:uid", "uid is no uuid"),
    ]
    assert "jane" not in rows and "no-uuid" not in rows and "hush" not in rows
    assert '"mail":"j***@example.org"' in rows


def test_what_a_frame_cannot_hold_is_rejected_with_its_column(frame: MakeFrame) -> None:
    df = frame(f"id int, at timestamp, {UNREADABLE} string", (1, None, "at=infinity"), (2, None, None))
    result = transform(postgresql_table(), df, KEYED)
    assert refusals(result) == [
        ("unreadable", "the source's value cannot be carried: at=infinity", '{"id":1,"at":null}')
    ]
    masked = transform(postgresql_table(transform={"mask": {"at": "all"}}), df, KEYED)
    assert refusals(masked)[0][1] == "the source's value cannot be carried: at"


def test_a_row_without_a_day_has_no_partition(frame: MakeFrame) -> None:
    df = frame("id int, day date", (1, dt.date(2026, 1, 1)), (2, None))
    result = transform(postgresql_table(date_column="day"), df, KEYED)
    assert outcomes(result) == [(1, "good", None), (2, "rejected", "required:day")]
    assert not result.good.schema["day"].nullable


def test_nul_characters_are_shown_in_rejects_as_jsonb_can_hold_them(frame: MakeFrame) -> None:
    df = frame("id string, name string", ("a\x00b", r"kept \u0000 as written"))
    result = transform(file_table(), df, destinations=[Destination.POSTGRESQL])
    (reject,) = result.iterate_rejects()
    assert reject == Reject(
        "range:postgresql:id",
        "id is outside what postgresql can hold: a\u2400b",
        r'{"id":"a\u2400b","name":"kept \\u0000 as written"}',
    )


def test_good_has_the_source_types_and_nullability(spark: SparkSession, frame: MakeFrame) -> None:
    types = {
        "id": (IntegerType(), "integer"),
        "flag": (BooleanType(), "boolean"),
        "price": (DecimalType(38, 18), "numeric"),
        "share": (DecimalType(6, 6), "numeric(6,6)"),
        "score": (DoubleType(), "double precision"),
        "name": (StringType(), "character varying(9)"),
        "blob": (BinaryType(), "bytea"),
        "day": (DateType(), "date"),
        "at": (TimestampType(), "timestamp without time zone"),
        "tags": (ArrayType(StringType()), "text[]"),
    }
    definition = TableDefinition(
        "things", tuple(ColumnDefinition(name, type_, nullable=False) for name, (_, type_) in types.items()), ("id",)
    )
    fields = [StructField(name, type_, True, {POSTGRESQL_TYPE: text}) for name, (type_, text) in types.items()]
    result = transform(postgresql_table(), spark.createDataFrame([], StructType(fields)), definition)
    expected = StructType([StructField(f.name, f.dataType, False, f.metadata) for f in fields])
    assert result.good.schema == expected
    # also over a copy that has forgotten both
    forgotten = result.tagged.selectExpr(*(f"nullif(`{name}`, NULL) AS `{name}`" for name in result.tagged.columns))
    assert result.with_tagged(forgotten).good.schema == expected


def test_nested_and_untyped_columns_become_what_all_stores_hold(frame: MakeFrame) -> None:
    df = frame(
        "id int, s struct<a:int,b:string>, m map<string,int>, l array<struct<a:int>>, wall timestamp_ntz",
        (1, (1, None), {"k": 2}, [(3,)], dt.datetime(2026, 1, 1, 12)),
    ).selectExpr("*", "NULL AS nothing")
    good = transform(file_table(), df).good
    assert good.collect() == [(1, '{"a":1,"b":null}', '{"k":2}', '[{"a":3}]', dt.datetime(2026, 1, 1, 12), None)]
    kinds = [(f.dataType.simpleString(), f.metadata.get(POSTGRESQL_TYPE)) for f in good.schema][1:]
    assert kinds == [("string", "jsonb")] * 3 + [("timestamp", None), ("string", None)]


def test_names_that_differ_by_case_only_are_refused(spark: SparkSession) -> None:
    df = spark.range(1).selectExpr("id", "1 AS a", "2 AS A")
    with pytest.raises(SourceError, match="'a' and 'A'"):
        transform(file_table(), df)


def test_an_address_masked_to_its_network_is_still_an_address(frame: MakeFrame) -> None:
    df = frame("id int, ip string", (1, "203.0.113.7"))
    schema = StructType([df.schema["id"], StructField("ip", StringType(), True, {POSTGRESQL_TYPE: "inet"})])
    good = transform(postgresql_table(transform={"mask": {"ip": "ip"}}), df.to(schema), KEYED).good
    assert (good.collect(), good.schema["ip"].metadata) == ([(1, "203.0.113.0")], {POSTGRESQL_TYPE: "inet"})


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"derive": {"x": "nme + 1"}}, r"things\.transform\.derive\.x: 'nme \+ 1' is no valid expression"),
        ({"derive": {"x": "id +"}}, r"derive\.x: 'id \+' is no valid expression"),
        ({"filter": "id + 1"}, r"filter: expected a condition, found 'id \+ 1' of type int"),
        ({"rules": {"r": "id < other"}}, r"rules\.r: 'id < other' is no valid expression"),
    ],
)
def test_a_wrong_expression_is_a_fault_of_the_configuration(
    frame: MakeFrame, entry: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        transform(postgresql_table(transform=entry), frame("id int", (1,)), KEYED)


def test_what_the_source_calls_deleted_is_known_by_its_key_and_obeys_no_other_rule(frame: MakeFrame) -> None:
    """Filtered comes first; a row without its key is refused as any; of a key's rows the newest decides."""
    load = PostgreSQLTableLoadConfig(
        table_name="things", target_name="things", mode=WriteMode.UPSERT, vanished_rows=VanishedRows.MARK
    )
    said = {
        "filter": "id IS NULL OR id < 100",
        "deleted_when": "gone",
        "required": ("name",),
        "rules": {"short": "length(name) < 9"},
        "deduplicate": {"order_by": ("at",)},
        "drop": ("gone", "at"),
    }
    table = postgresql_table(transform=said, loads={Destination.POSTGRESQL: load})
    df = frame(
        "id int, name string, gone boolean, at int",
        (1, "a", False, 1), (2, None, True, 1), (3, "much too long", True, 1), (4, None, None, 1), (100, "f", True, 1),
        (5, "old", True, 1), (5, "new", False, 2), (6, "old", False, 1), (6, None, True, 2), (None, "k", True, 1),
    )  # fmt: skip
    result = transform(table, df)
    assert outcomes(result) == [
        (1, "good", None), (100, "filtered", "filter"), (2, "deleted", None), (3, "deleted", None),
        (4, "rejected", "required:name"), (5, "deduplicated", "deduplicated"), (5, "good", None),
        (6, "deduplicated", "deduplicated"), (6, "deleted", None), (None, "null_key", "null_key"),
    ]  # fmt: skip
    assert sorted(map(tuple, result.deleted(["id"]).collect())) == [(2,), (3,), (6,)]
    assert result.good.columns == ["id", "name"]

    keeping = load.model_copy(update={"vanished_rows": VanishedRows.KEEP})
    kept = transform(table.model_copy(update={"loads": {Destination.POSTGRESQL: keeping}}), df)
    assert (3, "rejected", "rule:short") in outcomes(kept) and (5, "good", None) in outcomes(kept)
    assert not [each for each in outcomes(kept) if each[1] == "deleted"]


def test_deleted_when_must_be_a_condition_of_known_columns(frame: MakeFrame) -> None:
    load = PostgreSQLTableLoadConfig(
        table_name="things", target_name="things", mode=WriteMode.UPSERT, vanished_rows=VanishedRows.DELETE
    )
    for sql, said in (
        ("gon", "'gon' is no valid expression here"),
        ("id", "expected a condition, found 'id' of type int"),
    ):
        table = postgresql_table(transform={"deleted_when": sql}, loads={Destination.POSTGRESQL: load})
        with pytest.raises(ConfigurationError, match=f"things.transform.deleted_when: {said}"):
            transform(table, frame("id int, gone boolean", (1, True)), KEYED)
