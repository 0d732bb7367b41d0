"""What one store takes otherwise than the others (`out_of_range`): its own rows and counts, and words for it."""

from __future__ import annotations

from collections.abc import Iterator

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.tables.modes import deletes_vanished, replaces_all
from etl.model import Destination, OutOfRange, VanishedRows
from etl.pipeline.tables.materialised import Materialised
from etl.pipeline.tables.tally import Tally
from etl.transform.outcome import Apart

_THERE = {
    OutOfRange.SET_NULL: "are NULL there",
    OutOfRange.CLAMP: "are there the nearest that it holds",
}


def differing(rows: Materialised, counts: Tally, destination: Destination) -> Apart | None:
    """Where the destination refuses one of the counted rows alone, or gets a value of them altered."""
    apart = rows.apart_for(destination)
    return apart if apart and any(counts.apart.get(name) for name in apart.hidden) else None


def refused(apart: Apart | None, counts: Tally) -> int:
    return counts.apart.get(apart.refused, 0) if apart and apart.refused else 0


def told(apart: Apart | None, counts: Tally, destination: Destination) -> Iterator[str]:
    """A sentence for each thing that is otherwise than in the other stores."""
    if rows := refused(apart, counts):
        yield (
            f"{rows} rows hold a value that {destination} cannot hold, and are rejected there alone "
            f"(out_of_range: {OutOfRange.REJECT_THERE})"
        )
    for each in apart.altered if apart else ():
        if values := counts.apart.get(each.hidden):
            yield (
                f"{values} values of {each.column} that {destination} cannot hold {_THERE[each.word]} "
                f"(out_of_range: {each.word})"
            )


def deleting_none(config: TableLoadConfig) -> TableLoadConfig:
    """The entry for a load some of whose rows are refused on their way: what is stored of them has not vanished, and
    nobody but the source can tell them from rows that have."""
    return config.model_copy(update={"vanished_rows": VanishedRows.KEEP})


def would_delete(config: TableLoadConfig) -> bool:
    return deletes_vanished(config) and not replaces_all(config)


KEPT = (
    "stored rows that are gone from the source stay this time: some rows were refused on their way, and these have not "
    "vanished"
)


def planned(apart: Apart | None, destination: Destination) -> str | None:
    """Which columns the entry means, for --dry-run; None where it leaves all to the default."""
    if apart is None:
        return None
    columns: dict[OutOfRange, list[str]] = {OutOfRange.REJECT_THERE: [*apart.refusing]} if apart.refusing else {}
    for each in apart.altered:
        columns.setdefault(each.word, []).append(each.column)
    words = "; ".join(f"{word} {', '.join(names)}" for word, names in columns.items())
    return f"values that {destination} cannot hold: {words} (out_of_range)"
