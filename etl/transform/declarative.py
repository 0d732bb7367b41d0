"""Takes a frame through its table's steps, in the order in which the `transform` entry lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from etl.config.tables.models import Deduplicate, TableConfig
from etl.model import HIDDEN, TRANSACTION, WATERMARK, Destination, OutOfRange, TableDefinition
from etl.statements.quoting import spark_identifier, spark_literal
from etl.statements.spark_values import to_json
from etl.transform import steps
from etl.transform.apart import refuse_words, set_apart, words_of
from etl.transform.conform import conform
from etl.transform.draft import FAILURE, SOURCE, Draft, start
from etl.transform.expressions import fault
from etl.transform.keyed import Keys
from etl.transform.keys import is_unique_at_source, keep_one_of_each_key, refuse_null_keys, remember_order
from etl.transform.outcome import DELETED, OUTCOME, REASON, ROW, RULE, TRIMMED, Outcome, Transformed, final_field, shown
from etl.transform.privacy import hashed, masked_as_it_came
from etl.transform.ranges import limits, range_checks
from etl.transform.untouched import Untouched, untouched

_NUL_ESCAPED, _NUL_SHOWN = r"(?<!\\)((?:\\\\)*)\\u0000", r"$1\\u2400"
# PostgreSQL's jsonb has no NUL: it is shown as its symbol
_AS_JSON = f"regexp_replace({to_json(SOURCE)}, {spark_literal(_NUL_ESCAPED)}, {spark_literal(_NUL_SHOWN)})"


class Transformer(Protocol):
    """Lazy: it does not count, cache, collect, read or write."""

    def transform(self, df: DataFrame) -> Transformed: ...

    def untouched(self, rows: pa.Table, schema: StructType) -> Untouched | None:
        """The rows as they came, where `transform` would leave all of them so; None where it must be asked."""


class DomainStep(Protocol):
    """What a domain knows of a table beyond the declarative steps; stands in etl/transform/<domain>.py."""

    def __call__(self, draft: Draft) -> Draft: ...


@dataclass(frozen=True)
class DeclarativeTransformer:
    table: TableConfig
    definition: TableDefinition | None
    destinations: tuple[Destination, ...]
    keys: Keys
    domain_step: DomainStep | None = None

    def untouched(self, rows: pa.Table, schema: StructType) -> Untouched | None:
        if self.domain_step is not None:
            return None
        return untouched(rows, schema, self.table, self.definition, self.destinations, self._enforced_types())

    def transform(self, df: DataFrame) -> Transformed:
        draft = self._start(self.keys.put_into(conform(df, self.table.name)))
        draft = steps.reject_unreadable(draft)
        draft = steps.rename(draft, self.table.transform.rename)
        draft = self._clean(draft)
        draft = self._check(draft)
        draft = remember_order(draft, self.table, self._deduplicate())
        draft = steps.drop(steps.protect(draft, self.table, self.keys), self.table)
        if self.domain_step is not None:
            draft = self.domain_step(draft)
        return self._finish(self._check_for_stores(draft))

    def _start(self, frame: DataFrame) -> Draft:
        never_null = self.definition.columns if self.definition is not None else ()
        return start(
            frame,
            self._row_as_it_came(frame),
            never_null=frozenset(column.name for column in never_null if not column.nullable),
            unshown=self._unshown(),
        )

    def _unshown(self) -> frozenset[str]:
        """Under both names: what the source calls it, and what it becomes."""
        transform = self.table.transform
        final = {*transform.hash, *transform.mask, *transform.drop}
        return frozenset(final | {old for old, new in transform.rename.items() if new in final})

    def _row_as_it_came(self, frame: DataFrame) -> str:
        """Under the source's names, with what the table hides hidden."""
        visible = [name for name in frame.columns if not name.startswith(HIDDEN)]
        self._refuse_other_spellings(visible)
        shown = [self._shown(name) for name in visible]
        return f"struct({', '.join(value for value in shown if value is not None)})"

    def _refuse_other_spellings(self, names: list[str]) -> None:
        """Spark would find a column whose name differs by case, and hide it from the stores, not from here."""
        transform = self.table.transform
        steps = (("hash", transform.hash), ("mask", transform.mask), ("drop", transform.drop))
        hidden = {name.casefold(): (step, name) for step, named in steps for name in named}
        for name in (transform.rename.get(name, name) for name in names) if hidden else ():
            step, said = hidden.get(name.casefold(), ("", name))
            if said != name:
                raise fault(self.table, step, f"table {self.table.name} has no column {said!r}; did you mean {name!r}?")

    def _shown(self, name: str) -> str | None:
        transform, identifier = self.table.transform, spark_identifier(name)
        final = transform.rename.get(name, name)
        if final in transform.drop:
            return None
        if final in transform.hash:
            return f"{hashed(name, self.keys)} AS {identifier}"
        if final in transform.mask:
            shown = masked_as_it_came(self.table.name, final, name, transform.mask[final])
            return f"{shown} AS {identifier}"
        return identifier

    def _clean(self, draft: Draft) -> Draft:
        draft = steps.trim(draft, self.table, self.definition)
        draft = steps.default(steps.cast(draft, self.table), self.table)
        return steps.derive(draft, self.table)

    def _check(self, draft: Draft) -> Draft:
        draft = steps.tell_deleted(steps.filter_rows(draft, self.table), self.table)
        draft = steps.require(draft, self.table.transform.required)
        return steps.check_rules(steps.allow(draft, self.table), self.table)

    def _check_for_stores(self, draft: Draft) -> Draft:
        """A partition has a day, a value fits its column everywhere, a key is there and there once."""
        if self.table.date_column and self.table.date_column in draft.names:
            draft = steps.require(draft, (self.table.date_column,))
        draft = self._check_ranges(draft)
        draft = steps.excuse_deleted(draft, self.table)
        if not self.table.key:
            return draft
        if not self._is_null_safe():
            draft = refuse_null_keys(draft, self.table.key)
        if is_unique_at_source(self.table, self.definition):
            return draft
        return keep_one_of_each_key(draft, self.table.key, self._deduplicate())

    def _check_ranges(self, draft: Draft) -> Draft:
        """What one store cannot hold keeps a row out of all, or is for that store to be without."""
        fields = draft.fields
        never_null = draft.never_null.union(name for name, field in fields.items() if not field.nullable)
        refuse_words(self.table, self.destinations, fields, never_null)
        found = limits(self.destinations, fields.values(), draft.postgresql_types, self._enforced_types())
        words = words_of(self.table, found, never_null)
        for_all = [limit for limit, word in words.items() if word is OutOfRange.REJECT_EVERYWHERE]
        return set_apart(draft.failing(range_checks(draft, for_all)), words)

    def _deduplicate(self) -> Deduplicate | None:
        needed = bool(self.table.key) and not is_unique_at_source(self.table, self.definition)
        return self.table.transform.deduplicate if needed else None

    def _is_null_safe(self) -> bool:
        return any(load.null_safe_key for load in self.table.loads.values())

    def _enforced_types(self) -> Mapping[str, str]:
        """By the source itself, on columns that no step could have made longer."""
        if self.definition is None or self.table.source.type != "postgresql" or self.domain_step is not None:
            return {}
        transform = self.table.transform
        changed = {*transform.cast, *transform.default, *transform.derive, *transform.hash, *transform.mask}
        names = {column.name: transform.rename.get(column.name, column.name) for column in self.definition.columns}
        return {
            names[column.name]: column.type for column in self.definition.columns if names[column.name] not in changed
        }

    def _finish(self, draft: Draft) -> Transformed:
        refused = [f"{spark_identifier(each.refused)} IS NOT NULL" for each in draft.apart.values() if each.refused]
        good = f"'{Outcome.GOOD}'"
        if self.table.parts_deleted:
            good = f"CASE WHEN {DELETED} THEN '{Outcome.DELETED}' ELSE {good} END"
        tagged = draft.frame.selectExpr(
            *(spark_identifier(name) for name in draft.names),
            f"coalesce({FAILURE}.outcome, {good}) AS {OUTCOME}",
            f"{FAILURE}.rule AS {RULE}",
            f"{shown(f'{FAILURE}.reason')} AS {REASON}",
            f"CASE WHEN {' OR '.join([f'{FAILURE} IS NOT NULL', *refused])} THEN {_AS_JSON} END AS {ROW}",
            *(name for name in (WATERMARK, TRANSACTION, TRIMMED) if name in draft.frame.columns),
            *(spark_identifier(name) for each in draft.apart.values() for name in each.hidden),
        )
        types, never_null = draft.postgresql_types, draft.never_null
        fields = (final_field(field, types.get(name), never_null) for name, field in draft.fields.items())
        return Transformed(tagged, tuple(fields), draft.apart)
