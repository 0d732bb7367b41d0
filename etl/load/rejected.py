"""The limit of rows that break a rule: one guard for the transform's rejects and for those of every loader."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.limits import excess
from etl.errors import RejectedRowsError

Rules = Iterable[tuple[str, int, str]]
"""Rule, how many rows broke it, and the reason that one of them was given."""


def discarded(rows: int) -> Rules:
    """What `schema_contract: discard_row` leaves out."""
    return [("schema_contract: discard_row", rows, "the target has no place for a value")]


def refuse_too_many_rejected(config: TableLoadConfig, rejected: int, read: int, rules: Callable[[], Rules]) -> None:
    """Before a destination is written: a rule that refuses most rows is wrong itself, or the source is. `rules` is only
    asked where they are too many."""
    refusal = excess(config.maximum_rejected, rejected, read, "rows read to break a rule")
    if refusal is None:
        return
    found = "; ".join(f"{rule} ({rows}, such as {reason!r})" for rule, rows, reason in rules())
    raise RejectedRowsError(
        f"{config.table_name}: {refusal}: {found}. Nothing was written and the watermark stays. Mend the rule or "
        "the source; to load the others without these rows, repeat the run with --maximum-rejected 100%",
        table=config.table_name,
    )
