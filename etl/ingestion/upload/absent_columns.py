"""Columns of --headers that files do not have: misspelt, not told apart by the delimiter, or really not there."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from etl.errors import SourceError, UsageError
from etl.ingestion.model import UploadOptions
from etl.nearest import suggestion

MOST_NAMED = 10
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_SEPARATOR_LINE = re.compile(r'"?sep=.?"?', re.IGNORECASE)
"""What spreadsheets write before the header, for themselves; by another delimiter it is split, and begins so."""
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")

NamesByFile = Mapping[Path, Sequence[str] | None]
"""The columns of each file; None for one that names none: without a header, or empty."""


def refuse_absent(found: NamesByFile, options: UploadOptions, stored: Collection[str]) -> None:
    """Raises UsageError with every column that no file has. `stored`: the columns of the table, if it is there; those
    may be in no file of a load with --tolerant, which retries a single one, say."""
    named = [names for names in found.values() if names is not None]
    held = list(dict.fromkeys(name for names in named for name in names))
    asked = [header.name for header in options.headers]
    allowed = stored if options.csv.tolerant else ()
    there = {*held, *allowed}
    absent = [name for name in asked if name not in there]
    if named and absent:
        noun = "column" if len(absent) == 1 else "columns"
        steps = _next_steps(absent, _unasked(held, asked))
        raise UsageError(
            f"--headers names {len(absent)} {noun} that no file has; nothing was written:\n"
            + "\n".join(f"  {step}" for step in steps)
        )


def refuse_lacking(
    path: Path, lacking: Sequence[str], deciding: Collection[str], names: Sequence[str], options: UploadOptions
) -> None:
    """Of one file whose columns are `names`: what decides which row of a key stays must be there, and all the rest
    unless --tolerant was said. Raises SourceError."""
    needed = [name for name in lacking if name in deciding]
    wanted = needed or ([] if options.csv.tolerant else lacking)
    if not wanted:
        return
    why = "the key or --dedup-order-by needs" if needed else "--headers names"
    step = next_step(wanted, _unasked(names, [header.name for header in options.headers]))
    more = "" if needed else "; --tolerant loads the file without"
    raise SourceError(
        f"{path}: expected column {', '.join(wanted)}, which {why}, found only {', '.join(names)}; {step}{more}"
    )


def next_step(absent: Sequence[str], names: Sequence[str]) -> str:
    """What to do about columns that a file with these names lacks."""
    return "; ".join(_next_steps(absent, names))


def _unasked(names: Sequence[str], asked: Collection[str]) -> list[str]:
    """What is asked for as it is spelled was not misspelt; where nothing else is there, all may be meant."""
    return [name for name in names if name not in asked] or list(names)


def _next_steps(absent: Sequence[str], names: Sequence[str]) -> list[str]:
    if any(_SEPARATOR_LINE.fullmatch(name) for name in names):
        return ["the first line is a spreadsheet's sep=, and not the header: take it out (tail -n +2)"]
    delimiter = _delimiter_of(absent, names)
    if delimiter is not None:
        return [f"the header is separated by {delimiter!r}: --delimiter {_DELIMITERS[delimiter]}"]
    steps = [f"{name}: {suggestion(name, names)}" for name in absent[:MOST_NAMED]]
    steps += [f"and {len(absent) - MOST_NAMED} more"] if len(absent) > MOST_NAMED else []
    if any(_NUMBER.fullmatch(name) for name in names):
        steps.append("if the first line is data already: --no-header")
    return steps


def _delimiter_of(absent: Sequence[str], names: Sequence[str]) -> str | None:
    """The one by which the names would be some of those asked for."""
    for each in _DELIMITERS:
        pieces = {piece.strip(' "') for name in names if each in name for piece in name.split(each)}
        if pieces.intersection(absent):
            return each
    return None
