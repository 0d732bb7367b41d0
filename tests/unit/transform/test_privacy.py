from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from pyspark.sql import DataFrame, SparkSession

from etl.config.tables.models import TableConfig
from etl.errors import ConfigurationError
from etl.project import DEFAULT_CONFIG_DIR
from etl.transform.factory import TransformerFactory
from etl.transform.keyed import hmac_sha256, keys_of, salt_of
from etl.transform.outcome import Transformed
from tests.unit.transform.conftest import MakeFrame, file_table, refusals

DOCS = DEFAULT_CONFIG_DIR.parent / "docs" / "configuration.md"
_CODE = re.compile(r"`([^`]+)`")
SALT, KEY = SecretStr("pepper"), SecretStr("a key that nobody knows, of 40 letters..")


def protected(table: TableConfig, df: DataFrame, key: SecretStr = KEY) -> Transformed:
    return TransformerFactory.get_transformer(table, None, hash_salt=SALT, mask_key=key).transform(df)


def masked(df: DataFrame, mask: Any, key: SecretStr = KEY) -> list[Any]:
    table = file_table(key=(), transform={"mask": {"v": mask}})
    return [row["v"] for row in protected(table, df, key).good.collect()]


@pytest.mark.parametrize(
    ("mask", "value", "expected"),
    [
        ("email", "jane@example.org", "j***@example.org"),
        ("email", "no address", "***"),
        ("phone", "+44 20 7946 0123", "***23"),
        ("phone", "112", "***"),
        ("ip", "203.0.113.7", "203.0.113.0"),
        ("ip", "203.0.113.7/32", "203.0.113.0"),
        ("ip", "2001:db8:1::7", "2001:db8::"),
        ("ip", "::1", "::"),
        ("ip", "jane@example.org", "***"),
        ("name", "Émile Zola", "É***"),
        ("name", "", "***"),
        ("all", "anything", "***"),
        ("json", '{"email": "a\\"b@x.org", "n": 1}', '{"email": "***", "n": 1}'),
        ("json", '{"description":"kept","client_ip":"::1"}', '{"description":"kept","client_ip": "***"}'),
        ("json", '{"phone":123}', '{"phone": "***"}'),
        ("email", None, None),
        ("redact", "anything", "redacted"),
        ("redact", None, None),
        ({"redact": "it's gone"}, "anything", "it's gone"),
        ({"redact": None}, "anything", None),
        ({"partial": {"last": 4}}, "4111111111111111", "************1111"),
        ({"partial": {"first": 2, "last": 2, "fill": "#"}}, "Amélie", "Am##ie"),
        ({"partial": {"first": 1}}, "日本語", "日**"),
        ({"partial": {"last": 4}}, "12345", "*2345"),
        ({"partial": {"last": 4}}, "1234", "****"),
        ({"partial": {"first": 2, "last": 3}}, "12", "**"),
        ({"partial": {"last": 4}}, "", ""),
        ({"partial": {"last": 4}}, None, None),
        ({"truncate": 3}, "EC1A 1BB", "EC1"),
        ({"truncate": 3}, "日本語学", "日本語"),
        ({"truncate": 3}, "E", "E"),
        ({"truncate": 3}, None, None),
    ],
)
def test_mask(frame: MakeFrame, mask: Any, value: str | None, expected: str | None) -> None:
    assert masked(frame("v string", (value,)), mask) == [expected]


@pytest.mark.parametrize(
    ("type_", "to", "value", "expected"),
    [
        ("date", "year", dt.date(1984, 5, 17), dt.date(1984, 1, 1)),
        ("date", "month", dt.date(1984, 5, 17), dt.date(1984, 5, 1)),
        ("timestamp", "month", dt.datetime(1984, 5, 17, 23, 59), dt.datetime(1984, 5, 1)),
        ("timestamp", "year", None, None),
        ("int", 1000, 2_147_483_647, 2_147_483_000),
        ("int", 10, -19, -10),
        ("smallint", 100_000, 32_767, 0),
        ("bigint", 10, -9_223_372_036_854_775_808, -9_223_372_036_854_775_800),
        ("decimal(10,2)", 0.5, Decimal("12.99"), Decimal("12.50")),
        ("decimal(10,2)", 100, Decimal("-299.99"), Decimal("-200.00")),
        ("decimal(38,2)", 5, Decimal("9" * 36 + ".99"), Decimal("9" * 35 + "5.00")),
        ("double", 5, 17.9, 15.0),
        ("float", 5, -17.9, -15.0),
    ],
)
def test_dates_and_numbers_are_truncated_and_keep_their_type(
    frame: MakeFrame, type_: str, to: Any, value: Any, expected: Any
) -> None:
    df = frame(f"v {type_}", (value,))
    result = protected(file_table(key=(), transform={"mask": {"v": {"truncate": to}}}), df)
    assert [row["v"] for row in result.good.collect()] == [expected]
    assert result.good.schema["v"].dataType == df.schema["v"].dataType


@pytest.mark.parametrize("type_", ["int", "timestamp", "array<string>", "binary"])
def test_redacted_to_null_a_column_keeps_its_type(frame: MakeFrame, type_: str) -> None:
    df = frame(f"v {type_}", (None,))
    result = protected(file_table(key=(), transform={"mask": {"v": {"redact": None}}}), df)
    assert result.good.schema["v"].dataType == df.schema["v"].dataType
    assert result.good.collect() == [(None,)]


def test_hash_is_sha256_of_salt_and_value(frame: MakeFrame) -> None:
    df, table = frame("v string", ("x",), (None,)), file_table(key=(), transform={"hash": ["v"]})
    salt = salt_of(SALT)
    plain = TransformerFactory.get_transformer(table, None).transform(df).good.collect()
    salted = protected(table, df).good.collect()
    assert [row["v"] for row in plain] == [hashlib.sha256(b"x").hexdigest(), None]
    assert [row["v"] for row in salted] == [hashlib.sha256(f"{salt}x".encode()).hexdigest(), None]


@pytest.mark.parametrize("key", ["k", "k" * 63, "k" * 64, "k" * 65, "k" * 131, "Schlüssel, größer als nötig: 鍵鍵鍵"])
def test_hmac_is_that_of_rfc_2104(frame: MakeFrame, key: str) -> None:
    values = ["", "x", "é", "日本語", "a\nb", "\x00", *("v" * n for n in (55, 56, 63, 64, 65, 128, 1000)), "é" * 32]
    found = masked(frame("v string", *((value,) for value in values), (None,)), "hmac", SecretStr(key))
    assert found == [*(hmac.digest(key.encode(), value.encode(), "sha256").hex() for value in values), None]


def test_numbers_are_hashed_as_the_text_that_they_are(frame: MakeFrame) -> None:
    """So that a person has one token, whether a table holds the id as a number or as text."""
    assert masked(frame("v bigint", (42,)), "hmac") == masked(frame("v string", ("42",)), "hmac")


def test_tokens_are_equal_within_a_domain_and_nowhere_else(frame: MakeFrame) -> None:
    df = frame("a string, b bigint, c string, d string", ("42", 42, "42", "42"), ("7", 7, "7", None))
    person = {"tokenise": {"domain": "person"}}
    masks = {"a": person, "b": person, "c": {"tokenise": {"domain": "order"}}, "d": "tokenise"}
    rows = protected(file_table(key=(), transform={"mask": masks}), df).good.collect()
    (a, b, c, d), (other, other_too, _, nothing) = rows
    key = hmac.digest(KEY.get_secret_value().encode(), b"tokenise:person", "sha256")
    assert a == b == f"tok_{hmac.digest(key, b'42', 'sha256').hex()[:32]}"
    assert len({a, c, d, other}) == 4
    assert (other, nothing) == (other_too, None)
    own = masked(frame("v string", ("42",)), {"tokenise": {"domain": "things.d"}})
    assert own == [d], "who names no domain has one of table and column"


def test_another_key_gives_other_tokens(frame: MakeFrame) -> None:
    df = frame("v string", ("42",))
    assert masked(df, "tokenise") != masked(df, "tokenise", SecretStr("another key, of forty letters or so ....."))


def test_a_tokenised_key_is_still_a_key(frame: MakeFrame) -> None:
    table = file_table(transform={"mask": {"id": "tokenise"}, "deduplicate": {"order_by": [{"column": "n"}]}})
    df = frame("id string, n int", ("a", 1), ("a", 2), ("b", 1))
    result = protected(table, df)
    assert sorted(row["n"] for row in result.good.collect()) == [1, 2]
    (reason,) = [reason for _, reason, _ in refusals(result)]
    assert reason == "another row has the key ***"


def test_neither_salt_nor_key_stands_in_what_spark_prints_or_draws(spark: SparkSession, frame: MakeFrame) -> None:
    masks = {"a": "hmac", "b": "tokenise", "c": {"tokenise": {"domain": "d"}}}
    table = file_table(key=(), transform={"hash": ["v"], "mask": masks, "rules": {"none": "v <> 'x'"}})
    result = protected(table, frame("v string, a string, b string, c string", ("x", "x", "x", "x")))
    result.tagged.collect()
    printed = _all_that_spark_shows(spark, result.tagged)
    assert "sha2" in printed
    secrets = [salt_of(SALT).encode(), KEY.get_secret_value().encode()]
    secrets += keys_of(table, SALT, KEY).values.values()
    for secret in secrets:
        assert secret.hex() not in printed.lower()
        assert secret.decode("latin-1").removeprefix("secret=").strip() not in printed
    assert "secret" not in repr(keys_of(table, SALT, KEY))


def _all_that_spark_shows(spark: SparkSession, df: DataFrame) -> str:
    """Plans as texts, not redacted, and the nodes that its UI draws."""
    assert spark.sparkContext._jvm is not None
    execution = df._jdf.queryExecution()
    mode = spark.sparkContext._jvm.org.apache.spark.sql.execution.ExplainMode.fromString("extended")
    texts = [execution.explainString(mode), execution.toString(), execution.analyzed().treeString()]
    store = spark._jsparkSession.sharedState().statusStore()
    executions = store.executionsList()
    for place in range(executions.size()):
        nodes = store.planGraph(executions.apply(place).executionId()).allNodes()
        texts += [nodes.apply(one).desc() for one in range(nodes.size())]
    return "\n".join(texts)


def test_what_is_hidden_stays_hidden_in_a_row_that_a_rule_rejects(frame: MakeFrame) -> None:
    columns = {"id": "int", "card": "text", "born": "date", "income": "int", "mail": "text", "user": "text"}
    masks = {
        "card": {"partial": {"last": 4}},
        "born": {"truncate": "year"},
        "income": {"truncate": 1000},
        "mail": "hmac",
        "user": "tokenise",
    }
    table = file_table(columns, transform={"trim": True, "mask": masks, "rules": {"none": "id > 9"}})
    df = frame(
        "id string, card string, born string, income string, mail string, user string",
        ("1", "   1234", "1984-05-17", "123456", "jane@example.org", "jane"),
    )
    ((rule, _, row),) = refusals(protected(table, df))
    assert rule == "rule:none"
    assert '"card":"***","born":"***","income":"***"' in row
    for clear in ("1234", "1984", "jane"):
        assert clear not in row


def test_a_value_that_fits_no_type_is_hidden_by_a_name_with_an_equals_sign(frame: MakeFrame) -> None:
    df = frame("id int, `a=b` string, _etl_unreadable string", (1, None, "a=b=hush"))
    ((_, reason, _),) = refusals(protected(file_table(transform={"mask": {"a=b": "all"}}), df))
    assert reason == "the source's value cannot be carried: a=b"


@pytest.mark.parametrize("step", [{"hash": ["Mail"]}, {"mask": {"Mail": "all"}}, {"drop": ["Mail"]}])
def test_a_name_of_another_case_protects_nothing_and_is_refused(frame: MakeFrame, step: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"has no column 'Mail'; did you mean 'mail'\?"):
        protected(file_table(key=(), transform=step), frame("mail string", ("x",)))


def test_a_column_that_is_gone_may_be_dropped(frame: MakeFrame) -> None:
    assert protected(file_table(key=(), transform={"drop": ["gone"]}), frame("v int", (1,))).good.collect() == [(1,)]


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        ({"truncate": "year"}, "truncate: year is for dates and timestamps, found numeric"),
        ({"truncate": 10}, "a numeric travels as text and has no steps; give it a precision in `cast`"),
    ],
)
def test_of_derived_columns_it_is_known_at_last_what_fits(frame: MakeFrame, mask: Any, reason: str) -> None:
    table = file_table(key=(), transform={"cast": {"v": "numeric"}, "mask": {"v": mask}})
    with pytest.raises(ConfigurationError, match=reason):
        protected(table, frame("v string", ("1",)))


def _documented() -> Iterator[tuple[Any, str, str]]:
    """The examples of docs/configuration.md: mask, value, what becomes of it; several of one of them in their order."""
    section = DOCS.read_text(encoding="utf-8").split("#### Masks")[1].split("\n### ")[0]
    for line in (line for line in section.splitlines() if line.startswith("| `")):
        masks, values, results = (_CODE.findall(cell) for cell in line.split(" | ")[:3])
        kinds = [yaml.safe_load(mask) for mask in masks]
        if not values or any(kind in ("tokenise", "hmac") or "hash" in kind for kind in kinds):
            continue
        for place in range(len(results)):
            yield kinds[place if len(kinds) > 1 else 0], values[place if len(values) > 1 else 0], results[place]


def test_the_documented_examples_are_true(frame: MakeFrame) -> None:
    examples = list(_documented())
    assert len(examples) >= 10
    for mask, value, expected in examples:
        to = mask.get("truncate") if isinstance(mask, dict) else None
        kind = {"year": "date", "month": "date", 1000: "decimal(12,2)"}.get(to, "string")
        found = masked(frame("v string", (value,)).selectExpr(f"CAST(v AS {kind}) AS v"), mask)
        assert [str(one) for one in found] == [expected], mask


def test_the_documented_mac_is_true(frame: MakeFrame) -> None:
    found = masked(frame("v string", ("jane@example.org",)), "hmac", SecretStr("0123456789abcdef0123456789abcdef"))
    assert f"`{found[0][:12]}…` (64 digits)" in DOCS.read_text(encoding="utf-8")


def test_sql_of_a_mac_names_its_key_and_does_not_hold_it() -> None:
    assert hmac_sha256("v") == (
        "sha2(concat(_etl_keys.`hmac outer`, unhex(sha2(concat(_etl_keys.`hmac inner`, CAST(v AS BINARY)), 256))), 256)"
    )
