"""Hashes and masks of personal data. NULL stays NULL. What needs a secret is in keyed.py."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql.types import DataType, StringType

from etl.config.tables.masks import Mask, MaskWith, domain_of, kind_of
from etl.statements.quoting import spark_identifier, spark_literal
from etl.transform.keyed import Keys, hmac_sha256, salted_sha256, token
from etl.transform.shortening import partial, truncated

HIDDEN_VALUE = "***"
REDACTED = "redacted"
_FOUR, _LAST_OF_FOUR = r"^\d{1,3}(\.\d{1,3}){3}$", r"\.\d{1,3}$"
_PERSONAL = (
    "e-?mail|mail|phone|mobile|name|first_?name|last_?name|full_?name|surname|address|birth_?date|birthday|iban|passport"
    "|password|token|secret|ssn|ip|ip_?address"
)
# a whole part of the key: `ip` and `client_ip`, not `description`
_PERSONAL_KEY = rf'"((?:[^"\\]*[_.-])?(?:{_PERSONAL})(?:[_.-][^"\\]*)?)"'
_PERSONAL_VALUE = rf'{_PERSONAL_KEY}\s*:\s*(?:"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*)'


def hashed(name: str, keys: Keys) -> str:
    """SQL of 64 hexadecimal digits; equal values have equal hashes, so that joins and unique keys survive."""
    return salted_sha256(_text(name), keys)


def masked(name: str, mask: Mask, kind: DataType, domain: str | None = None) -> str:
    """SQL of a value that says less, of a column of this type; `domain` is that of its tokens."""
    return _where_not_null(name, _masked(name, mask, kind, domain))


def masked_as_it_came(table: str, column: str, name: str, mask: Mask) -> str:
    """Of the row as it came, where `column` has another name, type, and spaces around it: what would stand of it may be
    more than the mask leaves, so nothing does."""
    if kind_of(mask) in ("partial", "truncate"):
        return _where_not_null(name, _all(name))
    return masked(name, mask, StringType(), domain_of(mask, table, column))


def _masked(name: str, mask: Mask, kind: DataType, domain: str | None) -> str:
    if domain is not None:
        return token(_text(name), domain)
    if not isinstance(mask, MaskWith):
        return _MASKS[mask](_text(name))
    if mask.partial is not None:
        return partial(_text(name), mask.partial)
    if mask.truncate is not None:
        return truncated(spark_identifier(name), kind, mask.truncate)
    return f"CAST(NULL AS {kind.simpleString()})" if mask.redact is None else spark_literal(mask.redact)


def _where_not_null(name: str, sql: str) -> str:
    return f"CASE WHEN {spark_identifier(name)} IS NOT NULL THEN {sql} END"


def _text(name: str) -> str:
    return f"CAST({spark_identifier(name)} AS STRING)"


def _email(text: str) -> str:
    """`jane@example.org` → `j***@example.org`"""
    domain = f"regexp_extract({text}, {spark_literal('(@[^@]*)$')}, 1)"
    return f"CASE WHEN contains({text}, '@') THEN concat(left({text}, 1), '***', {domain}) ELSE '***' END"


def _phone(text: str) -> str:
    """`+44 20 7946 0123` → `***23`"""
    digits = f"regexp_replace({text}, '[^0-9]', '')"
    return f"CASE WHEN length({digits}) > 5 THEN concat('***', right({digits}, 2)) ELSE '***' END"


def _ip(text: str) -> str:
    """The network is kept, the host is not: `203.0.113.7` → `203.0.113.0`, `2001:db8:1::7` → `2001:db8::`. Nothing is
    kept of what is no address."""
    address = f"substring_index({text}, '/', 1)"
    network = f"regexp_replace({address}, {spark_literal(_LAST_OF_FOUR)}, '.0')"
    four = f"CASE WHEN {address} RLIKE {spark_literal(_FOUR)} THEN {network} ELSE {_all(text)} END"
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
    return spark_literal(HIDDEN_VALUE)


def _redact(_: str) -> str:
    return spark_literal(REDACTED)


_MASKS: dict[str, Callable[[str], str]] = {
    "email": _email,
    "phone": _phone,
    "ip": _ip,
    "name": _name,
    "json": _json,
    "all": _all,
    "redact": _redact,
    "hmac": hmac_sha256,
}
