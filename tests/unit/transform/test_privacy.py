from __future__ import annotations

import hashlib

import pytest
from pydantic import SecretStr
from pyspark.sql import SparkSession

from etl.transform.factory import TransformerFactory
from etl.transform.privacy import hashed, masked, salt_of
from tests.unit.transform.conftest import MakeFrame, file_table


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("email", "jane@example.org", "j***@example.org"),
        ("email", "no address", "***"),
        ("phone", "+44 20 7946 0123", "***23"),
        ("phone", "112", "***"),
        ("ip", "203.0.113.7", "203.0.113.0"),
        ("ip", "203.0.113.7/32", "203.0.113.0"),
        ("ip", "2001:db8:1::7", "2001:db8::"),
        ("ip", "::1", "::"),
        ("name", "Émile Zola", "É***"),
        ("name", "", "***"),
        ("all", "anything", "***"),
        ("json", '{"email": "a\\"b@x.org", "n": 1}', '{"email": "***", "n": 1}'),
        ("json", '{"description":"kept","client_ip":"::1"}', '{"description":"kept","client_ip": "***"}'),
        ("json", '{"phone":123}', '{"phone": "***"}'),
        ("email", None, None),
    ],
)
def test_mask(frame: MakeFrame, kind: str, value: str | None, expected: str | None) -> None:
    (row,) = frame("v string", (value,)).selectExpr(f"{masked('v', kind)} AS v").collect()
    assert row["v"] == expected


def test_hash_is_sha256_of_salt_and_value(frame: MakeFrame) -> None:
    df = frame("v string", ("x",), (None,))
    salt = salt_of(SecretStr("pepper"))
    plain = df.selectExpr(f"{hashed('v', '')} AS v").collect()
    salted = df.selectExpr(f"{hashed('v', salt)} AS v").collect()
    assert [row["v"] for row in plain] == [hashlib.sha256(b"x").hexdigest(), None]
    assert [row["v"] for row in salted] == [hashlib.sha256(f"{salt}x".encode()).hexdigest(), None]


def test_the_salt_is_taken_out_of_what_spark_prints(spark: SparkSession, frame: MakeFrame) -> None:
    salt = salt_of(SecretStr("pepper"))
    transformer = TransformerFactory.get_transformer(
        file_table(transform={"hash": ["v"]}), None, hash_salt=SecretStr("pepper")
    )
    tagged = transformer.transform(frame("id int, v string", (1, "x"))).tagged
    assert spark.sparkContext._jvm is not None
    mode = spark.sparkContext._jvm.org.apache.spark.sql.execution.ExplainMode.fromString("extended")
    printed = tagged._jdf.queryExecution().explainString(mode)
    assert "sha2" in printed
    assert salt.removeprefix("secret=").strip() not in printed
