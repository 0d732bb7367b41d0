"""Which rows of a source table a span of its transactions wrote, as SQL: by `xmin`, which every row of a heap has."""

from __future__ import annotations

from dataclasses import dataclass

_COUNTER = 2**32
"""`xmin` has the lower half of a transaction's number, and begins anew after so many."""


@dataclass(frozen=True)
class Transactions:
    """A span of transactions, by the 64-bit numbers that the server counts them with: from `first` up to, and without,
    `end`. No row that stands has a number beyond a snapshot's xmax, so a span of less than 2**32 that ends there means
    each row's transaction beyond doubt."""

    first: int
    end: int

    @property
    def is_ambiguous(self) -> bool:
        return self.end - self.first >= _COUNTER


def written_by(transactions: Transactions) -> str:
    """A condition on a row. The bytes of `xmin` have the order of its numbers, and unlike `age()` they keep no server
    from reading in parallel; a frozen row keeps its number."""
    if transactions.first >= transactions.end:
        return "false"
    if transactions.is_ambiguous:
        return "true"
    first, last = transactions.first % _COUNTER, (transactions.end - 1) % _COUNTER
    both = "AND" if first <= last else "OR"  # the counter began anew within the span
    return f"(xidsend(xmin) >= {_bytes(first)} {both} xidsend(xmin) <= {_bytes(last)})"


def transaction_number(transactions: Transactions) -> str:
    """A row's transaction as 64 bits; NULL where the span does not hold it."""
    first = transactions.first
    since_first = f"(xmin::text::bigint - {first % _COUNTER} + {_COUNTER}) % {_COUNTER}"
    return f"CASE WHEN {written_by(transactions)} THEN {first} + {since_first} END"


def spanning(spans: list[Transactions]) -> Transactions | None:
    """One that holds all of these."""
    return Transactions(min(each.first for each in spans), max(each.end for each in spans)) if spans else None


def _bytes(number: int) -> str:
    return f"decode('{number:08x}', 'hex')"
