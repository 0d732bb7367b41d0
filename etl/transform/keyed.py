"""SHA-256 with a salt and HMAC-SHA256 (RFC 2104) in Spark SQL, whose secrets stand in no plan.

A literal would: Spark takes secrets out of the plans that it prints (spark.sql.redaction.string.regex), but not out of
the nodes that its UI draws, nor out of its exceptions. So they come as data, a hidden column KEYS that is made of one
row by a scalar subquery; what is printed of it is its name.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256

import pyarrow as pa
from pydantic import SecretStr
from pyspark.sql import DataFrame

from etl.config.tables.masks import domain_of, kind_of
from etl.config.tables.models import TableConfig
from etl.model import HIDDEN
from etl.statements.quoting import spark_identifier

KEYS = f"{HIDDEN}keys"
_SALT, _HMAC = "salt", "hmac"
_BLOCK_BYTES, _INNER, _OUTER = 64, 0x36, 0x5C
_TOKEN, _TOKEN_DIGITS = "tok_", 32


@dataclass(frozen=True)
class Keys:
    """What a table's hashes and masks need of what is kept outside, by name."""

    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)

    def put_into(self, frame: DataFrame) -> DataFrame:
        """The frame with KEYS, where anything is needed; nothing is asked of Spark but to plan it."""
        if not self.values:
            return frame
        row = pa.table({name: pa.array([value], pa.binary()) for name, value in self.values.items()})
        keys = frame.sparkSession.createDataFrame(row).selectExpr("struct(*)")
        return frame.withColumn(KEYS, keys.scalar())

    @property
    def has_salt(self) -> bool:
        return _SALT in self.values


def keys_of(table: TableConfig, salt: SecretStr, key: SecretStr) -> Keys:
    values: dict[str, bytes] = {}
    if table.transform.hash and salt.get_secret_value():
        values[_SALT] = salt_of(salt).encode()
    for name, secret in _hmac_keys(table, key.get_secret_value().encode()):
        values[f"{name} inner"], values[f"{name} outer"] = blocks(secret)
    return Keys(values)


def _hmac_keys(table: TableConfig, key: bytes) -> Iterator[tuple[str, bytes]]:
    """A key of its own for each domain: whoever finds one out has learnt nothing of the others."""
    for column, mask in table.transform.mask.items():
        if kind_of(mask) == "hmac":
            yield _HMAC, key
        if domain := domain_of(mask, table.name, column):
            yield _of_domain(domain), hmac.digest(key, f"tokenise:{domain}".encode(), "sha256")


def blocks(key: bytes) -> tuple[bytes, bytes]:
    """A key as RFC 2104 puts it before the message, and before the message's digest."""
    short = sha256(key).digest() if len(key) > _BLOCK_BYTES else key
    padded = short.ljust(_BLOCK_BYTES, b"\0")
    return bytes(byte ^ _INNER for byte in padded), bytes(byte ^ _OUTER for byte in padded)


def salt_of(secret: SecretStr) -> str:
    """What is put before each value; empty where no salt is set, so that a plain SHA-256 comes out."""
    text = secret.get_secret_value()
    return f"secret={sha256(text.encode()).hexdigest()} " if text else ""


def salted_sha256(text: str, keys: Keys) -> str:
    """SQL of 64 hexadecimal digits of SQL of a text."""
    return f"sha2(concat({_key(_SALT)}, {_bytes(text)}), 256)" if keys.has_salt else f"sha2({_bytes(text)}, 256)"


def hmac_sha256(text: str, name: str = _HMAC) -> str:
    """SQL of 64 hexadecimal digits: those of `openssl dgst -sha256 -hmac KEY`."""
    inner = f"sha2(concat({_key(f'{name} inner')}, {_bytes(text)}), 256)"
    return f"sha2(concat({_key(f'{name} outer')}, unhex({inner})), 256)"


def token(text: str, domain: str) -> str:
    """SQL of `tok_` and half of the digits, as many as a uuid has: even of 10^15 values no two will share theirs."""
    return f"concat('{_TOKEN}', left({hmac_sha256(text, _of_domain(domain))}, {_TOKEN_DIGITS}))"


def _of_domain(domain: str) -> str:
    return f"domain {domain}"


def _key(name: str) -> str:
    return f"{KEYS}.{spark_identifier(name)}"


def _bytes(text: str) -> str:
    return f"CAST({text} AS BINARY)"
