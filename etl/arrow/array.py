"""Lists as the literals of PostgreSQL's arrays, for a column that is one: {"1",NULL}, {{"a"},{"b"}}."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.joining import in_brackets, joined, lengths, of_elements
from etl.arrow.text import text
from etl.arrow.types import kind_of
from etl.arrow.values import canonical, refuse_where

_NULL = pa.scalar("NULL", pa.large_string())


def array_literals(array: pa.Array, prepare: Callable[[pa.Array], pa.Array] = canonical) -> pa.Array:
    """NULL stays NULL; `prepare` makes the innermost elements what is printed. Raises BadValues by the position in
    `array`, also for a list of lists that PostgreSQL would take for another one: it drops empty ones, and has no NULL
    in their place."""
    return in_brackets(array, of_elements(array, lambda elements: _elements(elements, prepare)), "{}")


def element_type(arrow_type: pa.DataType) -> pa.DataType | None:
    """Of lists of lists the innermost one's; None for what is no list."""
    if not _is_list(arrow_type):
        return None
    inner = arrow_type.value_type
    return element_type(inner) if _is_list(inner) else inner


def _is_list(arrow_type: pa.DataType) -> bool:
    is_other = pa.types.is_map(arrow_type) or pa.types.is_struct(arrow_type)
    return bool(pa.types.is_nested(arrow_type) and not is_other)


def _elements(array: pa.Array, prepare: Callable[[pa.Array], pa.Array]) -> pa.Array:
    if _is_list(array.type):
        refuse_where(lengths(array) == 0, "lists in a list that hold something, as in PostgreSQL's arrays of arrays")
        return array_literals(array, prepare)
    prepared = prepare(array)
    kind = kind_of(array.type) if prepare is canonical else kind_of(prepared.type)  # a canonical uuid is bytes
    written = text(prepared, kind).cast(pa.large_string())
    escaped = pc.replace_substring_regex(written, r'(["\\])', r"\\\1")
    return joined('"', escaped, '"').fill_null(_NULL)
