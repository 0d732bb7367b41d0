"""Texts of elements joined into the texts of the lists that hold them, a whole column at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from etl.arrow.values import BadValues

_NOTHING = pa.scalar("", pa.large_string())


def joined(*parts: pa.Array | str) -> pa.Array:
    """Row by row; NULL where a part is."""
    texts = [pa.scalar(part, pa.large_string()) if isinstance(part, str) else part for part in parts]
    return pc.binary_join_element_wise(*texts, _NOTHING)


def masked(texts: pa.Array, array: pa.Array) -> pa.Array:
    """NULL where the array has it."""
    return pc.if_else(array.is_valid(), texts, None)


def of_elements(lists: pa.Array, convert: Callable[[pa.Array], pa.Array]) -> pa.Array:
    """What `convert` makes of all elements. Faults of elements become faults of the lists that hold them."""
    try:
        return convert(lists.flatten())
    except BadValues as bad:
        rows = np.unique(np.searchsorted(np.cumsum(lengths(lists)), bad.positions, side="right"))
        raise BadValues(rows, bad.expected) from bad


def in_brackets(lists: pa.Array, elements: pa.Array, brackets: str) -> pa.Array:
    """The elements' texts, none of which is NULL, between commas and brackets; NULL for a list that is."""
    offsets = np.concatenate([[0], np.cumsum(lengths(lists))]).astype(np.int64)
    inside = pc.binary_join(pa.LargeListArray.from_arrays(offsets, elements), pa.scalar(",", pa.large_string()))
    return masked(joined(brackets[0], inside, brackets[1]), lists)


def lengths(lists: pa.Array) -> npt.NDArray[np.int64]:
    counts: npt.NDArray[np.int64] = pc.list_value_length(lists).cast(pa.int64()).fill_null(0).to_numpy()
    return counts
