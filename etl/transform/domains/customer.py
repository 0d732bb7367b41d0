"""Events as every tracker spells them, under one name each."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field
from pyspark.sql import Column
from pyspark.sql import functions as F

from etl.config.frozen import FrozenModel
from etl.transform.draft import Draft, column_of


class EventNormalization(FrozenModel):
    """`Page View`, `page-view` and `pageView` become `page_view`; `synonyms` then says what else means the same.

    `groups` maps a group to its events; where it is given, `event_group` holds the group's name, else `other`.
    """

    column: str = "event_type"
    synonyms: Mapping[str, str] = Field(default_factory=dict)
    groups: Mapping[str, tuple[str, ...]] = Field(default_factory=dict)

    def __call__(self, draft: Draft) -> Draft:
        draft = draft.altered({self.column: self._normalized(column_of(self.column))})
        if not self.groups:
            return draft
        return draft.retyped({"event_group": self._group(column_of(self.column))})

    def _normalized(self, value: Column) -> Column:
        parted = F.regexp_replace(F.trim(value), r"(?<=[\p{Ll}\d])(?=\p{Lu})", "_")
        name = F.regexp_replace(F.lower(parted), r"[\s\-./:_]+", "_")
        return F.coalesce(*(F.when(name == other, F.lit(one)) for other, one in self.synonyms.items()), name)

    def _group(self, event: Column) -> Column:
        chosen = (F.when(event.isin(*events), F.lit(group)) for group, events in self.groups.items())
        return F.when(event.isNotNull(), F.coalesce(*chosen, F.lit("other")))
