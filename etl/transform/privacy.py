"""Hashes and masks of personal data. NULL stays NULL.

The salt stands in Spark's plan, behind `secret=`: spark.sql.redaction.string.regex (conf/spark-defaults.conf) takes it
out of whatever Spark prints.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from pydantic import SecretStr

from etl.statements.quoting import spark_identifier, spark_literal

_LAST_OF_FOUR = r"\.\d{1,3}$"
_PERSONAL = (
    "e-?mail|mail|phone|mobile|name|first_?name|last_?name|full_?name|surname|address|birth_?date|birthday|iban|passport"
    "|password|token|secret|ssn|ip|ip_?address"
)
# a whole part of the key: `ip` and `client_ip`, not `description`
_PERSONAL_KEY = rf'"((?:[^"\\]*[_.-])?(?:{_PERSONAL})(?:[_.-][^"\\]*)?)"'
_PERSONAL_VALUE = rf'{_PERSONAL_KEY}\s*:\s*(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)'


def salt_of(secret: SecretStr) -> str:
    """What is put before each value; empty where no salt is set, so that a plain SHA-256 comes out."""
    text = secret.get_secret_value()
    return f"secret={sha256(text.encode()).hexdigest()} " if text else ""


def hashed(name: str, salt: str) -> str:
    """SQL of 64 hexadecimal digits; equal values have equal hashes, so that joins and unique keys survive."""
    return f"sha2(concat({spark_literal(salt)}, CAST({spark_identifier(name)} AS STRING)), 256)"


def masked(name: str, kind: str) -> str:
    """SQL of a text that says less."""
    text = f"CAST({spark_identifier(name)} AS STRING)"
    return f"CASE WHEN {spark_identifier(name)} IS NOT NULL THEN {_MASKS[kind](text)} END"


def _email(text: str) -> str:
    """`jane@example.org` → `j***@example.org`"""
    domain = f"regexp_extract({text}, {spark_literal('(@[^@]*)$')}, 1)"
    return f"CASE WHEN contains({text}, '@') THEN concat(left({text}, 1), '***', {domain}) ELSE '***' END"


def _phone(text: str) -> str:
    """`+44 20 7946 0123` → `***23`"""
    digits = f"regexp_replace({text}, '[^0-9]', '')"
    return f"CASE WHEN length({digits}) > 5 THEN concat('***', right({digits}, 2)) ELSE '***' END"


def _ip(text: str) -> str:
    """The network is kept, the host is not: `203.0.113.7` → `203.0.113.0`, `2001:db8:1::7` → `2001:db8::`."""
    address = f"substring_index({text}, '/', 1)"
    four = f"regexp_replace({address}, {spark_literal(_LAST_OF_FOUR)}, '.0')"
    head = f"regexp_extract({address}, '^([0-9a-fA-F]{{1,4}}:[0-9a-fA-F]{{1,4}}):', 1)"
    return f"CASE WHEN contains({text}, ':') THEN concat({head}, '::') ELSE {four} END"


def _name(text: str) -> str:
    """`Jane Doe` → `J***`"""
    return f"concat(left({text}, 1), '***')"


def _json(text: str) -> str:
    """Texts and numbers whose key speaks of a person: `{"email": "jane@x.org", "n": 1}` → `{"email": "***", "n": 1}`"""
    pattern = spark_literal(f"(?i){_PERSONAL_VALUE}")
    return f"""regexp_replace({text}, {pattern}, '"$1": "***"')"""


def _all(_: str) -> str:
    return "'***'"


_MASKS: dict[str, Callable[[str], str]] = {
    "email": _email,
    "phone": _phone,
    "ip": _ip,
    "name": _name,
    "json": _json,
    "all": _all,
}
