"""What the uploader asks of staged values, and the statement that names every row with a bad one."""

from __future__ import annotations

from dataclasses import dataclass

from etl.statements.quoting import postgresql_column, postgresql_literal
from etl.statements.uploader.merging import Upload, UploadColumn, positions_sql, quote_identifier


@dataclass(frozen=True)
class Checks:
    """What the staged values are asked beyond what COPY sees: names of columns.

    `fit`: must be a value of the column's type. `required`: no NULL. `zoned`: the text of an instant must name its
    zone. `local`: where it does not, it must be one instant of the session's zone, neither none nor two. `scales`:
    decimals must fit. `whole`: a number without a fraction, however it is written.
    """

    fit: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    zoned: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    scales: tuple[tuple[str, int], ...] = ()
    whole: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.fit, self.required, self.zoned, self.local, self.scales, self.whole))


def bad_values_sql(upload: Upload, checks: Checks) -> str:
    """(position, column, value, reason) of the first bad value of every row that has one, in the rows' order."""
    return (
        f"SELECT position, bad[1], bad[2], bad[3] FROM ({_found(upload, checks)}) AS found "
        f"JOIN ({positions_sql(upload)}) AS positions USING (place) WHERE bad IS NOT NULL ORDER BY position"
    )


def has_bad_values_sql(upload: Upload, checks: Checks) -> str:
    return f"SELECT EXISTS (SELECT FROM ({_found(upload, checks)}) AS found WHERE bad IS NOT NULL)"


def _found(upload: Upload, checks: Checks) -> str:
    """(place, bad): what is wrong with each staged row, its first fault by the columns' names. One pass, however many
    columns are asked; OFFSET 0 keeps it one."""
    pieces = [
        *(_unfit(upload.column(name)) for name in checks.fit),
        *(_missing(upload.column(name)) for name in checks.required),
        *(_without_zone(upload.column(name)) for name in checks.zoned),
        *(_not_one_instant(upload.column(name)) for name in checks.local),
        *(_too_precise(upload.column(name), scale) for name, scale in checks.scales),
        *(_not_whole(upload.column(name)) for name in checks.whole),
    ]
    faults = ", ".join(
        f"CASE WHEN {condition} THEN ARRAY[{postgresql_literal(name)}, left({value}, 100), {reason}] END"
        for name, value, reason, condition in sorted(pieces, key=lambda piece: piece[0])
    )
    return f"SELECT s.ctid AS place, coalesce({faults}) AS bad FROM {quote_identifier(upload.staging)} AS s OFFSET 0"


# A check: (column, its value as SQL, the reason as SQL, the condition)
_Check = tuple[str, str, str, str]


def _unfit(column: UploadColumn) -> _Check:
    text, kind = column.text_of_staged, postgresql_literal(column.type)
    said = f"(pg_input_error_info({text}, {kind})).message"
    return column.name, text, said, f"{text} IS NOT NULL AND NOT pg_input_is_valid({text}, {kind})"


def _missing(column: UploadColumn) -> _Check:
    return (
        column.name,
        "CAST(NULL AS text)",
        postgresql_literal("expected a value, found NULL"),
        f"{postgresql_column('s', column.name)} IS NULL",
    )


_ZONE = r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*([ap]m)?\s*(z|[a-z]+[a-z/_]*|[+-]\d{1,2}(:?\d{2}){0,2})(\s+(bc|ad))?\s*$"


_INFINITE = r"^\s*-?infinity\s*$"


def _without_zone(column: UploadColumn) -> _Check:
    text = column.text_of_staged
    return (
        column.name,
        text,
        postgresql_literal("expected an instant with its time zone; --timezone says which one is meant"),
        f"{text} !~* {postgresql_literal(_ZONE)} AND {text} !~* {postgresql_literal(_INFINITE)}",
    )


def _not_one_instant(column: UploadColumn) -> _Check:
    """An hour that the clocks skip reads back as another one; one that they repeat has a twin an hour away."""
    text = column.text_of_staged
    local = f"CAST({text} AS timestamp)"
    instant = f"CAST({text} AS timestamptz)"
    twins = " OR ".join(f"CAST({instant} {sign} interval '1 hour' AS timestamp) = {local}" for sign in "+-")
    condition = (
        f"CASE WHEN {text} !~* {postgresql_literal(_ZONE)} AND pg_input_is_valid({text}, 'timestamp') "
        f"THEN CAST({instant} AS timestamp) <> {local} OR {twins} END"
    )
    reason = "expected one instant of the time zone, found an hour that its clocks skip or repeat; write the offset"
    return column.name, text, postgresql_literal(reason), condition


def _too_precise(column: UploadColumn, scale: int) -> _Check:
    text = column.text_of_staged
    number = f"CASE WHEN pg_input_is_valid({text}, 'numeric') THEN scale(trim_scale(CAST({text} AS numeric))) END"
    return (
        column.name,
        text,
        postgresql_literal(f"expected at most {scale} decimals; without --strict-decimals it is rounded half up"),
        f"{number} > {scale}",
    )


def _not_whole(column: UploadColumn) -> _Check:
    text = column.text_of_staged
    digits = f"CAST(trim_scale(CAST({text} AS numeric)) AS text)"
    is_whole = f"pg_input_is_valid({digits}, {postgresql_literal(column.type)})"
    return (
        column.name,
        text,
        postgresql_literal(f"expected a whole number in the range of {column.type}"),
        f"{text} IS NOT NULL AND NOT CASE WHEN pg_input_is_valid({text}, 'numeric') THEN {is_whole} ELSE false END",
    )
