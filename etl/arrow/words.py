"""The integers that decimals are without their point."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def words_of(array: pa.Array) -> npt.NDArray[np.uint64]:
    """The 64-bit words of each value, lowest first, 0 where it is NULL: what lies under a NULL is anything."""
    count = array.type.byte_width // 8
    if not len(array):
        return np.zeros((0, count), np.uint64)
    data = np.frombuffer(array.buffers()[1], dtype="<u8")
    words = data[array.offset * count : (array.offset + len(array)) * count].reshape(-1, count)
    if array.null_count:
        is_valid = array.is_valid().to_numpy(zero_copy_only=False)
        words = np.where(is_valid[:, np.newaxis], words, np.uint64(0))
    return words


def lowest_words(array: pa.Array) -> npt.NDArray[np.int64]:
    """The whole of each value, where it has at most 18 digits."""
    return np.ascontiguousarray(words_of(array)[:, 0]).view(np.int64)


def unscaled(array: pa.Array) -> Iterator[int]:
    """Each value of a decimal of 128 bits, exactly; 0 where it is NULL."""
    words = words_of(array)
    highest = np.ascontiguousarray(words[:, 1]).view(np.int64)
    return ((high << 64) + low for high, low in zip(highest.tolist(), words[:, 0].tolist(), strict=True))
