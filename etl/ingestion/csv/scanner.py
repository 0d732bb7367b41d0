"""Where records end, found a block at a time without looking at fields.

One bit a byte, 64 bytes a word: a byte is quoted where the number of quotechars up to it is odd, and that parity is a
running exclusive-or over words. numpy does all of it without the interpreter's lock.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from etl.ingestion.csv.dialect import Dialect

Positions = npt.NDArray[np.int64]
_Words = npt.NDArray[np.uint64]
_Octets = npt.NDArray[np.uint8]

_NEWLINE = 10
_RETURN = 13
_ONE = np.uint64(1)
_TOP = np.uint64(63)
_STEPS = tuple(np.uint64(1 << power) for power in range(6))
NOWHERE: Positions = np.empty(0, np.int64)


@dataclass(frozen=True)
class Marks:
    """Positions within one block: of the newlines that end a record, and of quotes and carriage returns that stand
    where RFC 4180 has none. `has_inner_newlines`: there are newlines within quotes."""

    ends: Positions
    doubts: Positions
    has_inner_newlines: bool


class RecordScanner:
    """Carries from block to block what the last byte was. Begins at the start of a record."""

    def __init__(self, dialect: Dialect) -> None:
        self._delimiter = dialect.delimiter[0]
        self._quote = dialect.quotechar
        self._is_quoted = False
        self._may_open = True
        self._just_closed = False
        self._has_bare_return = False

    @property
    def is_within(self) -> bool:
        """At the end of the file: a quotation is open, or the last byte is a carriage return alone."""
        return self._is_quoted or self._has_bare_return

    def scan(self, block: bytes) -> Marks:
        octets = np.frombuffer(block, np.uint8)
        newlines = _bits(octets, _NEWLINE)
        returns = _bits(octets, _RETURN) if b"\r" in block else None
        if self._quote in block or self._is_quoted or self._just_closed:
            return self._scan_quoted(octets, newlines, returns)
        doubts = self._bare_returns(newlines, returns)
        self._remember(block, may_open=block[-1] in (_NEWLINE, self._delimiter), just_closed=False)
        return Marks(_positions(newlines, len(block)), _positions(doubts, len(block)), False)

    def _scan_quoted(self, octets: _Octets, newlines: _Words, returns: _Words | None) -> Marks:
        quotes = _bits(octets, self._quote[0])
        inside = _running_parity(quotes, self._is_quoted)
        breaks = newlines | _bits(octets, self._delimiter) | quotes
        closing = quotes & ~inside
        doubts = quotes & inside & ~_moved(breaks, self._may_open)
        doubts |= _moved(closing, self._just_closed) & ~(breaks if returns is None else breaks | returns)
        outside = newlines & ~inside
        if returns is not None or self._has_bare_return:
            doubts |= self._bare_returns(newlines, None if returns is None else returns & ~inside)
        last = len(octets) - 1
        self._is_quoted = _bit(inside, last)
        self._may_open = _bit(breaks, last)
        self._just_closed = _bit(closing, last)
        self._has_bare_return = octets[-1] == _RETURN and not self._is_quoted
        size = len(octets)
        return Marks(_positions(outside, size), _positions(doubts, size), bool((newlines & inside).any()))

    def _bare_returns(self, newlines: _Words, returns: _Words | None) -> _Words:
        """The byte after each carriage return outside quotes that is not a newline."""
        if returns is None and not self._has_bare_return:
            return np.zeros(0, np.uint64)
        before = np.zeros_like(newlines) if returns is None else returns
        return _moved(before, self._has_bare_return) & ~newlines

    def _remember(self, block: bytes, *, may_open: bool, just_closed: bool) -> None:
        self._may_open = may_open
        self._just_closed = just_closed
        self._has_bare_return = block[-1] == _RETURN


def _bits(octets: _Octets, wanted: int) -> _Words:
    packed = np.packbits(octets == wanted, bitorder="little")
    missing = -len(packed) % 8
    if missing:
        packed = np.concatenate([packed, np.zeros(missing, np.uint8)])
    return packed.view("<u8")


def _running_parity(quotes: _Words, is_odd_before: bool) -> _Words:
    """Bit i: whether an odd number of quotes stands at or before byte i."""
    parity = quotes.copy()
    for step in _STEPS:
        parity ^= parity << step
    before = np.empty_like(parity)
    before[0] = is_odd_before
    before[1:] = parity[:-1] >> _TOP
    np.bitwise_xor.accumulate(before, out=before)
    parity ^= np.uint64(0) - before
    return parity


def _moved(bits: _Words, first: bool) -> _Words:
    """Each bit at the place of the byte after."""
    moved = bits << _ONE
    moved[1:] |= bits[:-1] >> _TOP
    moved[0] |= np.uint64(first)
    return moved


def _bit(bits: _Words, position: int) -> bool:
    return bool((int(bits[position >> 6]) >> (position & 63)) & 1)


def _positions(bits: _Words, size: int) -> Positions:
    if not bits.any():
        return NOWHERE
    flags = np.unpackbits(bits.view(np.uint8), count=size, bitorder="little")
    return np.flatnonzero(flags.view(np.bool_))
