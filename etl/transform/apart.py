"""What one store alone refuses, or gets altered, because it cannot hold what the others can (`out_of_range`).

A row is transformed once for all stores. Beside its columns it carries hidden ones, a few for each store that the entry
speaks of: all are NULL in a row that every store holds, so that the one count of the rows tells which stores take them
as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame

from etl.config.tables.models import TableConfig
from etl.config.tables.out_of_range import named_columns, refused_words, word_for
from etl.errors import ConfigurationError
from etl.model import HIDDEN, Destination, OutOfRange
from etl.nearest import suggestion
from etl.statements.quoting import spark_identifier, spark_literal
from etl.transform.draft import Draft
from etl.transform.expressions import fault_of
from etl.transform.outcome import OUTCOME, REASON, RULE, Altered, Apart, Outcome, shown
from etl.transform.ranges import Limit

# --- what the entry says of it --------------------------------------------------------------------------------------


def refuse_words(
    table: TableConfig, destinations: Iterable[Destination], columns: Collection[str], never_null: Collection[str]
) -> None:
    """Raises ConfigurationError where the entry names columns that are not there or must stay as they are: what could
    not be told before the columns were known."""
    faults = []
    for load in (table.loads[name] for name in sorted(destinations) if name in table.loads):
        absent = [name for name in named_columns(load) if name not in columns]
        sentences = [f"no column {name!r}; {suggestion(name, columns)}" for name in absent]
        sentences += refused_words(load, frozenset(never_null)).values()
        faults += [fault_of(table, f": {load.destination}.out_of_range: {sentence}") for sentence in sentences]
    if faults:
        raise ConfigurationError(faults)


def words_of(table: TableConfig, limits: Iterable[Limit], never_null: Collection[str]) -> dict[Limit, OutOfRange]:
    found = {}
    for limit in limits:
        load = table.loads.get(limit.destination)
        word = word_for(load, limit.name, is_never_null=limit.name in never_null) if load else None
        found[limit] = word or OutOfRange.REJECT_EVERYWHERE
    return found


# --- what a row carries for it --------------------------------------------------------------------------------------


def set_apart(draft: Draft, words: Mapping[Limit, OutOfRange]) -> Draft:
    """The draft with the hidden columns of each store that refuses rows, or gets values altered, alone."""
    by_store: dict[Destination, list[tuple[Limit, str, OutOfRange]]] = {}
    for limit, word in words.items():
        if word is not OutOfRange.REJECT_EVERYWHERE and (violation := limit.violation) is not None:
            by_store.setdefault(limit.destination, []).append((limit, violation, word))
    for destination, tests in by_store.items():
        draft = _set_apart_for(draft, destination, tests)
    return draft


def _set_apart_for(draft: Draft, destination: Destination, tests: Sequence[tuple[Limit, str, OutOfRange]]) -> Draft:
    hidden: dict[str, str] = {}
    refusals: dict[str, str] = {}
    altered: list[Altered] = []
    for limit, violation, word in tests:
        if word is OutOfRange.REJECT_THERE:
            refusals[limit.name] = f"WHEN {violation} THEN {_failure(limit, draft)}"
        else:
            altered.append(Altered(limit.name, word, f"{HIDDEN}{destination}_{len(altered)}"))
            other = limit.nearest if word is OutOfRange.CLAMP else "true"
            hidden[altered[-1].hidden] = f"CASE WHEN {violation} THEN {other} END"
    refused = f"{HIDDEN}{destination}_refused" if refusals else None
    if refused:
        hidden[refused] = f"CASE {' '.join(refusals.values())} END"
    return draft.beside(hidden, destination, Apart(refused, tuple(altered), tuple(refusals)))


def _failure(limit: Limit, draft: Draft) -> str:
    return f"array({spark_literal(limit.rule)}, {shown(limit.reason(draft))})"


# --- what the store takes -------------------------------------------------------------------------------------------


def taken_from(tagged: DataFrame, apart: Apart) -> DataFrame:
    """The tagged rows as the store takes them: what it refuses alone is rejected, too."""
    new = {each.column: _other_value(each) for each in apart.altered}
    if apart.refused:
        refused = spark_identifier(apart.refused)
        is_refused = f"{refused} IS NOT NULL AND {OUTCOME} = {spark_literal(Outcome.GOOD)}"
        told = {OUTCOME: spark_literal(Outcome.REJECTED), RULE: f"{refused}[0]", REASON: f"{refused}[1]"}
        new |= {name: f"CASE WHEN {is_refused} THEN {value} ELSE {name} END" for name, value in told.items()}
    columns = ((spark_identifier(name), new.get(name)) for name in tagged.columns)
    return tagged.selectExpr(*(f"{value} AS {name}" if value else name for name, value in columns))


def taken_from_held(rows: pa.Table, apart: Apart) -> pa.Table:
    """The same, of rows that the driver holds."""
    new = {each.column: _other_values(each, rows) for each in apart.altered}
    if apart.refused:
        refused = rows[apart.refused]
        is_refused = pc.and_(pc.is_valid(refused), pc.equal(rows[OUTCOME], str(Outcome.GOOD)))
        rejected = pa.scalar(str(Outcome.REJECTED), rows[OUTCOME].type)
        new[OUTCOME] = pc.if_else(is_refused, rejected, rows[OUTCOME])
        for at, name in enumerate((RULE, REASON)):
            new[name] = pc.if_else(is_refused, pc.list_element(refused, at).cast(rows[name].type), rows[name])
    for name, values in new.items():
        rows = rows.set_column(rows.column_names.index(name), name, values)
    return rows


def _other_value(altered: Altered) -> str:
    value, other = spark_identifier(altered.column), spark_identifier(altered.hidden)
    if altered.word is OutOfRange.CLAMP:
        return f"coalesce({other}, {value})"
    return f"CASE WHEN {other} IS NULL THEN {value} END"


def _other_values(altered: Altered, rows: pa.Table) -> pa.ChunkedArray:
    value, other = rows[altered.column], rows[altered.hidden]
    is_clamped = altered.word is OutOfRange.CLAMP
    return pc.if_else(pc.is_valid(other), other if is_clamped else pa.scalar(None, value.type), value)
