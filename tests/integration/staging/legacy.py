"""106 legacy stg_* tables, no two of one shape and state, with the rows that stand in them.

Every table has an extra column `token`, one number a row: whatever becomes of a row, it can be found again.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from etl.statements.quoting import postgresql_identifier as quoted

TABLES = 106

Row = Mapping[str, str | None]
"""Column → what is written, as text: the way legacy writers send it."""

_IDS = ("text", "varchar(64)", "integer", "uuid", "bigint", "char(12)", "text NOT NULL", "varchar")
_DOCUMENTS = ("jsonb", "text", "json", "jsonb NOT NULL", "varchar")
_KEYS = (
    *("none", "primary", "index", "broken", "unique_index", "none"),
    *("unique", "deferrable", "partial", "broken", "desc"),
)
_DIGEST = "text GENERATED ALWAYS AS (md5(note)) STORED"
_LOUD = "text GENERATED ALWAYS AS (upper(note)) STORED"
_COLUMNS: tuple[dict[str, str], ...] = (
    {},
    {"created_at": "timestamptz DEFAULT now()"},
    {"loaded_at": "timestamp", "source_updated_at": "timestamp"},
    {"etl_job_id": "text", "etl_run_id": "text", "loaded_at": "timestamptz"},
    {"etl_job_id": "integer", "etl_run_id": "uuid", "source_updated_at": "text"},
    {
        "etl_job_id": "text",
        "etl_run_id": "varchar(80)",
        "loaded_at": "timestamptz",
        "created_at": "timestamptz",
        "updated_at": "timestamptz",
        "is_valid": "boolean",
        "validation_errors": "jsonb",
        "source_updated_at": "timestamptz",
        "hash_digest": "text",
        "input_position": "bigint",
    },
    {"is_valid": "integer", "validation_errors": "text", "hash_digest": "char(8)", "updated_at": "date"},
    {"source_updated_at": "timestamptz(3)", "loaded_at": "timestamptz NOT NULL DEFAULT now()", "is_valid": "text"},
    {"loaded_at": "varchar(40)", "updated_at": "timestamp(3)", "input_position": "integer", "discount%": "numeric"},
    {"Mixed Case": "text", "tags": "text[]", "created_at": "date", "validation_errors": "text[]"},
    {"source_updated_at": "timestamptz", "payload": "json", "hash_digest": _DIGEST, "note": "text DEFAULT 'n'"},
    {"loaded_at": "timestamp", "loud": _LOUD, "note": "text"},
    {"source_updated_at": "text", "updated_at": "timestamptz DEFAULT clock_timestamp()"},
)


@dataclass(frozen=True)
class LegacyTable:
    number: int
    name: str
    columns: Mapping[str, str]
    key: str
    rows: tuple[Row, ...]

    @property
    def is_busy(self) -> bool:
        """Writers write to it while it is migrated; the others are compared to the last value."""
        return self.number % 3 != 0

    @property
    def has_unique_key(self) -> bool:
        """ON CONFLICT (source_id) works before the migration, and so at every moment of it."""
        return self.key in ("primary", "unique", "unique_index", "desc")

    @property
    def written(self) -> list[str]:
        return [name for name, type_name in self.columns.items() if "GENERATED" not in type_name]

    def statements(self) -> Iterator[str]:
        body = ", ".join(f"{quoted(name)} {type_name}" for name, type_name in self.columns.items())
        primary = ", PRIMARY KEY (source_id)" if self.key == "primary" else ""
        unique = ", UNIQUE (source_id)" if self.key == "unique" else ""
        deferrable = ", UNIQUE (source_id) DEFERRABLE INITIALLY DEFERRED" if self.key == "deferrable" else ""
        yield f"CREATE TABLE {quoted(self.name)} ({body}{primary}{unique}{deferrable})"
        yield from self._index()
        if self.number % 8 == 1 and "updated_at" in self.columns and "timestamptz" in self.columns["updated_at"]:
            yield f"CREATE TRIGGER touch BEFORE UPDATE ON {quoted(self.name)} FOR EACH ROW EXECUTE FUNCTION touch()"

    def broken_index(self) -> str | None:
        """A build that duplicates break off; it leaves an invalid index."""
        if self.key != "broken":
            return None
        return f"CREATE UNIQUE INDEX CONCURRENTLY {quoted(f'broken {self.number}')} ON {quoted(self.name)} (source_id)"

    def insert(self, row: Row) -> tuple[str, list[str | None]]:
        names = ", ".join(quoted(name) for name in row).replace("%", "%%")
        places = ", ".join(["%s"] * len(row))
        return f"INSERT INTO {quoted(self.name).replace('%', '%%')} ({names}) VALUES ({places})", list(row.values())

    def row(self, token: int, key: int | None, moment: int, document: str | None) -> Row:
        """`moment` orders rows of one key; what is not known of a row is left open here and there."""
        values: dict[str, str | None] = {}
        for name in self.written:
            values[name] = _value(name, self.columns[name], key if key is not None else token, moment)
        values |= {"source_id": None if key is None else self.source_id(key), "data": document, "token": str(token)}
        return values

    def source_id(self, key: int) -> str:
        type_name = self.columns["source_id"].split()[0]
        if type_name in ("integer", "bigint"):
            return str(key)
        return str(uuid.UUID(int=key)) if type_name == "uuid" else f"id-{key}"

    def _index(self) -> Iterator[str]:
        name = quoted(self.name)
        if self.key == "index":
            yield f"CREATE INDEX ON {name} (source_id)"
        elif self.key == "unique_index":
            yield f"CREATE UNIQUE INDEX {quoted(f'one {self.number}')} ON {name} (source_id)"
        elif self.key == "desc":
            yield f"CREATE UNIQUE INDEX {quoted(f'down {self.number}')} ON {name} (source_id DESC)"
        elif self.key == "partial":
            yield f"CREATE UNIQUE INDEX ON {name} (source_id) WHERE token < 0"


def legacy_tables() -> list[LegacyTable]:
    return [_table(number) for number in range(TABLES)]


def _table(number: int) -> LegacyTable:
    columns = {
        "token": "bigint",
        "source_id": _IDS[number % len(_IDS)],
        "data": _DOCUMENTS[number % len(_DOCUMENTS)],
        **_COLUMNS[number % len(_COLUMNS)],
    }
    empty = LegacyTable(number, _name(number), columns, _KEYS[number % len(_KEYS)], ())
    rows = () if number % 17 == 5 else tuple(_rows(empty))
    if not rows and empty.key == "broken":
        return LegacyTable(number, empty.name, columns, "none", ())
    return LegacyTable(number, empty.name, columns, empty.key, rows)


def _name(number: int) -> str:
    match number % 7:
        case 2:
            return f"stg_MixedCase{number}"
        case 4:
            return f"stg_{number}_a_rather_long_name_of_a_legacy_staging_table_as_some_have_it"[:63]
        case 5:
            return f'stg_50%_"odd" name {number}'
        case _:
            return f"stg_legacy_{number}"


def _rows(table: LegacyTable) -> Iterator[Row]:
    first = table.number * 1_000_000
    tokens = iter(range(first, first + 1_000_000))
    for key in range(24):
        yield table.row(next(tokens), key, key, f'{{"key": {key}, "exact": 12345678901234567890.10}}')
    if table.has_unique_key or table.key == "deferrable":
        return
    for key, moment in ((0, 3), (1, -1), (2, 2), (2, 2), (3, 9), (5, 5), (5, 11), (5, 1)):
        yield table.row(next(tokens), key, moment, f'{{"key": {key}, "moment": {moment}}}')
    yield from _defects(table, tokens)


def _defects(table: LegacyTable, tokens: Iterator[int]) -> Iterator[Row]:
    types = table.columns
    if "NOT NULL" not in types["source_id"]:
        yield table.row(next(tokens), None, 1, "{}")
        yield table.row(next(tokens), None, 1, None if "NOT NULL" not in types["data"] else "{}")
    if types["source_id"].split()[0] in ("text", "varchar", "char(12)"):
        yield {**table.row(next(tokens), 90, 1, "{}"), "source_id": ""}
    if types["source_id"].startswith("text"):
        yield {**table.row(next(tokens), 91, 1, "{}"), "source_id": "x" * 2001}
    if "NOT NULL" not in types["data"]:
        yield table.row(next(tokens), 92, 1, None)
        yield table.row(next(tokens), 3, 99, None)  # no rival of the row that has a document
    if types["data"] in ("text", "varchar"):
        yield table.row(next(tokens), 93, 1, "{not json")
        yield table.row(next(tokens), 4, 99, "")
    if types["data"] == "json":
        yield table.row(next(tokens), 94, 1, '{"nul": "\\u0000"}')
    if types.get("source_updated_at") == "text":
        yield {**table.row(next(tokens), 95, 1, "{}"), "source_updated_at": "soon"}


def _value(name: str, type_name: str, key: int, moment: int) -> str | None:
    kind = type_name.split()[0]
    if name in ("loaded_at", "created_at", "updated_at", "source_updated_at"):
        return _instant(name, kind, key, moment, is_required="NOT NULL" in type_name)
    values: dict[str, Any] = {
        "etl_job_id": "5" if kind == "integer" else (None, "job-a", "no job!", "job-b")[key % 4],
        "etl_run_id": str(uuid.UUID(int=7)) if kind == "uuid" else (None, "run-a", "run-b", "no run?")[key % 4],
        "is_valid": None if key % 5 == 0 else ("0", "1")[key % 2] if kind != "text" else ("no", "yes")[key % 2],
        "validation_errors": None if key % 3 else "{a,b}" if kind == "text[]" else '["e"]' if key % 2 else _words(kind),
        "hash_digest": None if key % 2 else "abc",
        "input_position": None if key % 2 else "7",
        "discount%": "12.50",
        "Mixed Case": "x%y",
        "tags": "{a,b}",
        "payload": '{"b": "\\u0000"}' if key % 2 else '{"a": 1}',
        "note": "note",
    }
    return None if values.get(name) is None else str(values[name])


def _words(kind: str) -> str:
    return "plain words" if kind == "text" else '{"path": "a"}'


def _instant(name: str, kind: str, key: int, moment: int, *, is_required: bool) -> str | None:
    unknown = {"loaded_at": 4, "created_at": 3, "updated_at": 5, "source_updated_at": 2}[name]
    if not is_required and (moment < 0 or (key + moment) % unknown == 0):
        return None
    # one moment in all columns of a row: texts order as instants do
    day = f"2024-01-{1 + moment % 27:02d}"
    return (
        day if kind == "date" else f"{day} {moment % 24:02d}:00:00" + ("+00" if kind.startswith("timestamptz") else "")
    )
