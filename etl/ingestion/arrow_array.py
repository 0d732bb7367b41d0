"""Lists as the literals of PostgreSQL's arrays, for a column that is one: {"1",NULL}, {{"a"},{"b"}}."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from etl.ingestion.arrow_joining import in_brackets, joined, of_elements
from etl.ingestion.arrow_text import text
from etl.ingestion.arrow_types import kind_of
from etl.ingestion.arrow_values import canonical

_NULL = pa.scalar("NULL", pa.large_string())


def array_literals(array: pa.Array) -> pa.Array:
    """NULL stays NULL. Raises BadValues by the position in `array`."""
    return in_brackets(array, of_elements(array, _elements), "{}")


def element_type(arrow_type: pa.DataType) -> pa.DataType | None:
    """Of lists of lists the innermost one's; None for what is no list."""
    if not _is_list(arrow_type):
        return None
    inner = arrow_type.value_type
    return element_type(inner) if _is_list(inner) else inner


def _is_list(arrow_type: pa.DataType) -> bool:
    is_other = pa.types.is_map(arrow_type) or pa.types.is_struct(arrow_type)
    return bool(pa.types.is_nested(arrow_type) and not is_other)


def _elements(array: pa.Array) -> pa.Array:
    if _is_list(array.type):
        return array_literals(array).fill_null(_NULL)
    written = text(canonical(array), kind_of(array.type)).cast(pa.large_string())
    escaped = pc.replace_substring_regex(written, r'(["\\])', r"\\\1")
    return joined('"', escaped, '"').fill_null(_NULL)
