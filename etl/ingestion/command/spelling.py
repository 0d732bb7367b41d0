"""What the command line's texts mean: switches with a value, lists of files, headers, keys and orders."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from etl.ingestion.model import Header, OrderColumn
from etl.postgresql_types import format_type

_TRUE = ("true", "yes", "on", "1")
_FALSE = ("false", "no", "off", "0")
_CHARACTERS = {"\\t": "\t", "tab": "\t", "comma": ",", "semicolon": ";", "pipe": "|", "space": " "}
_ORDER = re.compile(r"(\S+)(?:\s+(asc|desc))?", re.IGNORECASE)


def spelled_out(arguments: Iterable[str], switches: Mapping[str, str], lists: Sequence[str]) -> list[str]:
    """The arguments as the parser of options knows them.

    `switches` maps each switch to its opposite: `--dry-run false` and `--dry-run=false` become `--no-dry-run`. An
    option of `lists` takes all values up to the next option, as a shell spells out a pattern. What follows `--` stays.
    """
    rest = list(arguments)
    spelled: list[str] = []
    while rest:
        argument = rest.pop(0)
        name, separator, value = argument.partition("=")
        if argument == "--":
            return [*spelled, argument, *rest]
        if name in switches:
            value = value if separator else _next_truth(rest)
            spelled.append(_switched(name, value, switches))
        elif name in lists:
            values = [value] if separator else []
            while rest and not rest[0].startswith("-"):
                values.append(rest.pop(0))
            spelled += [part for each in values for part in (name, each)] or [name]
        else:
            spelled.append(argument)
    return spelled


def files_first(arguments: Sequence[str], commands: Collection[str]) -> list[str]:
    """`a.csv b.csv --table t` is `load --files a.csv b.csv --table t`; a command and a question stay as they are."""
    if not arguments or arguments[0] in (*commands, "--help"):
        return list(arguments)
    return ["load", *([] if arguments[0].startswith("-") else ["--files"]), *arguments]


def read_headers(text: str) -> tuple[tuple[Header, ...], list[str]]:
    """`id:bigint,name,amount:numeric(10,2)` → (headers, faults); types come spelled as format_type() prints them."""
    headers, faults = [], []
    for part in map(str.strip, _outside_parentheses(text)) if text.strip() else ():
        name, separator, written = (piece.strip() for piece in part.partition(":"))
        try:
            headers.append(Header(name, format_type(written) if separator else None))
        except ValueError as error:
            headers.append(Header(name))
            faults.append(f"--headers {part!r}: {error}")
    return tuple(headers), faults


def read_names(text: str) -> tuple[str, ...]:
    return tuple(map(str.strip, text.split(","))) if text.strip() else ()


def read_order(text: str) -> tuple[tuple[OrderColumn, ...], list[str]]:
    """`updated_at desc, id` → (columns, faults); a column without a word stands ascending, as in SQL."""
    columns, faults = [], []
    for part in read_names(text):
        match = _ORDER.fullmatch(part)
        if match:
            columns.append(OrderColumn(match[1], descending=(match[2] or "asc").lower() == "desc"))
        else:
            faults.append(f"--dedup-order-by {part!r}: expected COLUMN, COLUMN asc or COLUMN desc")
    return tuple(columns), faults


def read_character(text: str) -> str:
    r"""`tab` and `\t` are one, as a shell makes it hard to type."""
    return _CHARACTERS.get(text, text)


def _next_truth(rest: list[str]) -> str:
    return rest.pop(0) if rest and rest[0].lower() in (*_TRUE, *_FALSE) else "true"


def _switched(name: str, value: str, switches: Mapping[str, str]) -> str:
    """A value that is neither stays with the switch, for the parser to refuse."""
    if value.lower() in _TRUE:
        return name
    return switches[name] if value.lower() in _FALSE else f"{name}={value}"


def _outside_parentheses(text: str) -> list[str]:
    return re.split(r",(?![^()]*\))", text)
