"""Trims text and takes control characters out of it; words, lines and tabs inside it stay."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import StringType, StructField

from etl.postgresql_types import base_type
from etl.statements.quoting import spark_identifier, spark_literal

_SPACES = " \t\n\r\v\f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029"
_SPACES += "\u202f\u205f\u3000\ufeff"
_CONTROL = r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x84\x86-\x9F]"
_UNCLEAN = rf"\A[{_SPACES}]|[{_SPACES}]\z|{_CONTROL}"
"""In RE2's words."""
_TEXT = frozenset({"text", "citext", "character", "character varying"})


def is_free_text(field: StructField, postgresql_type: str | None) -> bool:
    """Whether the column holds words: a uuid, an address or JSON travels as text too and is left alone."""
    return isinstance(field.dataType, StringType) and base_type(postgresql_type or "text") in _TEXT


def is_clean(texts: pa.ChunkedArray) -> bool:
    """Whether `cleaned` would leave all of them as they are."""
    return not pc.any(pc.match_substring_regex(texts, _UNCLEAN)).as_py()


def cleaned(name: str) -> str:
    value, control = spark_identifier(name), spark_literal(_CONTROL)
    # Most texts have no control character: finding none is much cheaper than replacing none
    visible = f"CASE WHEN {value} RLIKE {control} THEN regexp_replace({value}, {control}, '') ELSE {value} END"
    return f"btrim({visible}, {spark_literal(_SPACES)})"
