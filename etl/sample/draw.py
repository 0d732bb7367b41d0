"""Chance as a pure function of (seed, table, column, row): no state, so rows can be made in any chunk or order.

A child row can recompute what its parent drew from the parent's row number alone, and an advanced day is drawn exactly
as it would have been in the first fill.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]
Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST_MIX = np.uint64(0xBF58476D1CE4E5B9)
_SECOND_MIX = np.uint64(0x94D049BB133111EB)


def hash_rows(seed: int, table: str, column: str, rows: Whole) -> Bits:
    """64 well-mixed bits a row (splitmix64; wraps around on purpose). Distinct rows give distinct bits."""
    digest = hashlib.blake2b(f"{seed}\0{table}\0{column}".encode(), digest_size=8).digest()
    bits: Bits = rows.astype(np.uint64) * _GOLDEN + np.uint64(int.from_bytes(digest, "little"))
    bits ^= bits >> np.uint64(30)
    bits *= _FIRST_MIX
    bits ^= bits >> np.uint64(27)
    bits *= _SECOND_MIX
    bits ^= bits >> np.uint64(31)
    return bits


class Draw:
    """Random values for some rows of one table; each column's name is its own stream."""

    def __init__(self, seed: int, table: str, rows: Whole) -> None:
        self.seed = seed
        self.table = table
        self.rows = rows

    def bits(self, column: str) -> Bits:
        return hash_rows(self.seed, self.table, column, self.rows)

    def uniform(self, column: str) -> Floats:
        """In [0, 1)."""
        return (self.bits(column) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def whole(self, column: str, low: int, high: int) -> Whole:
        """From low to high, both included."""
        return low + (self.uniform(column) * (high - low + 1)).astype(np.int64)

    def between(self, column: str, low: float, high: float) -> Floats:
        return low + self.uniform(column) * (high - low)

    def chance(self, column: str, probability: float) -> Mask:
        return self.uniform(column) < probability

    def exponential(self, column: str, mean: float) -> Floats:
        return -mean * np.log1p(-self.uniform(column))

    def normal(self, column: str, mean: float, deviation: float) -> Floats:
        radius = np.sqrt(-2.0 * np.log1p(-self.uniform(column)))
        return mean + deviation * radius * np.cos(2.0 * np.pi * self.uniform(f"{column}/angle"))

    def skewed(self, column: str, count: int, power: float = 3.0) -> Whole:
        """Below `count`, low numbers far more often: the k-th is drawn about as often as k^(1/power - 1)."""
        return (self.uniform(column) ** power * count).astype(np.int64)

    def weighted(self, column: str, weights: Sequence[float]) -> Whole:
        """Positions in `weights`, in proportion to them."""
        edges = np.cumsum(np.asarray(weights, dtype=np.float64))
        positions = np.searchsorted(edges, self.uniform(column) * edges[-1], side="right")
        clipped: Whole = np.minimum(positions, len(weights) - 1).astype(np.int64)
        return clipped
