"""What the statements talk about: tables, columns on their way in, keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from etl.postgresql_types import EXACT, base_type, declared_digits
from etl.statements.quoting import postgresql_column, postgresql_identifier, postgresql_name

STAGING_SCHEMA = "etl_staging"

ATTEMPT = "_etl_attempt"
"""Which attempt at which partition staged a row: rows of losing attempts are never published."""

RULE = "_etl_rule"
"""NULL for a row to be published, else the rule it broke."""

REASON = "_etl_reason"
STATUS = "_etl_status"

_IDENTICAL = (EXACT | {"character"}) - {"time with time zone", "bit", "bit varying", "macaddr8"}
"""What is padded, or has a fixed number of digits, is the same once it is stored; what has several spellings or a zone
is compared as text, to be sure."""

_WITHOUT_EQUALITY = frozenset({"json", "xml", "point", "polygon", "path", "box", "line", "circle", "lseg"})


@dataclass(frozen=True, order=True)
class Table:
    """A table by its exact name; `str()` is for people, `sql` for statements."""

    schema: str
    name: str

    @property
    def sql(self) -> str:
        return postgresql_name(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class StagedColumn:
    """A column of the staging table: `carrier` is its type there, `type` the target's; they differ where COPY's binary
    format has no encoder for the target's type, or where the frame's type is another one. `collation`: the target's,
    as SQL, where it calls different texts equal."""

    name: str
    type: str
    carrier: str
    collation: str = ""

    def value(self, alias: str) -> str:
        """The staged value in the target's type, equal to another as it will be there."""
        column = postgresql_column(alias, self.name)
        value = column if self.type == self.carrier else f"CAST({column} AS {self.type})"
        return f"{value} COLLATE {self.collation}" if self.collation else value

    def comparable(self, alias: str) -> str:
        """The staged value in a form that has equality."""
        value = self.value(alias)
        return f"CAST({value} AS text)" if self.type in _WITHOUT_EQUALITY else value

    def stored(self, alias: str) -> str:
        """The target's value in that same form."""
        column = postgresql_column(alias, self.name)
        return f"CAST({column} AS text)" if self.type in _WITHOUT_EQUALITY else column


def is_loosely_equal(declared: str) -> bool:
    """Whether `=` may call two values of this type equal that are not the same (numeric, interval, citext, …); texts
    are told apart by their collation too, which the type does not say."""
    return base_type(declared) not in _IDENTICAL and declared_digits(declared) is None


def staging_table(target: Table, run_id: str) -> Table:
    """One name a run and target, short whatever the target's name is."""
    digest = hashlib.sha256(f"{target.sql}\0{run_id}".encode()).hexdigest()[:24]
    return Table(STAGING_SCHEMA, f"s_{digest}")


def lock_key(target: Table) -> int:
    """The advisory lock of a target as a signed 64-bit number."""
    return int.from_bytes(hashlib.sha256(f"etl:{target.sql}".encode()).digest()[:8], "big", signed=True)


def name_list(names: Iterable[str]) -> str:
    return ", ".join(postgresql_identifier(name) for name in names)


def column_list(alias: str, names: Iterable[str]) -> str:
    return ", ".join(postgresql_column(alias, name) for name in names)
