"""`out_of_range`: which columns a store may get altered, and what is wrong with an entry that asks for more."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from etl.config.destinations.load_config import TableLoadConfig
from etl.config.tables.column_names import absent
from etl.config.tables.entry import Entry, Locator
from etl.config.tables.models import TransformConfig
from etl.errors import Fault
from etl.model import ALTERING, OutOfRange, TableDefinition


def word_for(load: TableLoadConfig, column: str, *, is_never_null: bool) -> OutOfRange:
    """What holds for a column: a word that is said for all of them rejects where it must not alter."""
    word = load.out_of_range_of(column)
    return OutOfRange.REJECT_THERE if refusal(load, column, word, is_never_null=is_never_null) else word


def named_columns(load: TableLoadConfig) -> Mapping[str, OutOfRange]:
    """Those that the entry names one by one."""
    return load.out_of_range if isinstance(load.out_of_range, dict) else {}


def leaves_to_others(load: TableLoadConfig) -> list[str]:
    """The columns whose values keep no row from the other stores, `*` for all: what these get depends on it."""
    if isinstance(load.out_of_range, dict):
        return sorted(load.out_of_range)
    return [] if load.out_of_range is OutOfRange.REJECT_EVERYWHERE else ["*"]


def refusal(load: TableLoadConfig, column: str, word: OutOfRange, *, is_never_null: bool) -> str | None:
    """Why a value of this column must not be altered so, in a sentence."""
    if word in ALTERING and column in load.placing_columns:
        return (
            f"{word} would make another row of one whose {column} it alters, a column of the key, or one that dates, "
            "orders or places rows; write reject_there"
        )
    if word is OutOfRange.SET_NULL and is_never_null:
        return f"{column} is never NULL (at the source, or by `required` or `default`); write clamp or reject_there"
    return None


def refused_words(load: TableLoadConfig, never_null: frozenset[str]) -> dict[str, str]:
    """Column → sentence, of the columns that the entry names."""
    found = {
        name: refusal(load, name, word, is_never_null=name in never_null) for name, word in named_columns(load).items()
    }
    return {name: sentence for name, sentence in found.items() if sentence}


def word_faults(entry: Entry, load: TableLoadConfig, at: Locator) -> Iterator[Fault]:
    """Those that need no schema."""
    transform = entry.config.transform
    never_null = _never_null(transform)
    for name, sentence in refused_words(load, never_null).items():
        where = at("out_of_range")
        yield where.mapping.get(name, where).fault(f"{load.destination}.out_of_range: {sentence}")


def column_faults(
    entry: Entry, load: TableLoadConfig, columns: Mapping[str, str], definition: TableDefinition
) -> Iterator[Fault]:
    """Those that the others leave to be found, once the columns are known that transform leaves."""
    path = ("loads", load.destination, "out_of_range")
    yield from absent(entry, path, named_columns(load), list(columns))
    transform = entry.config.transform
    known = refused_words(load, _never_null(transform))
    for name, sentence in refused_words(load, _never_null(transform) | _not_null(transform, definition)).items():
        if name in columns and name not in known:
            yield entry.at(*path, name).fault(f"{load.destination}.out_of_range: {sentence}")


def _never_null(transform: TransformConfig) -> frozenset[str]:
    return frozenset({*transform.required, *transform.default})


def _not_null(transform: TransformConfig, definition: TableDefinition) -> frozenset[str]:
    names = (transform.rename.get(column.name, column.name) for column in definition.columns if not column.nullable)
    return frozenset(name for name in names if name not in transform.derive)
