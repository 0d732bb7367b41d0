"""Consent, requests and incidents, as an auditor asks for them. Nothing depends on today: a rerun says the same."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

from etl.config.frozen import FrozenModel
from etl.statements.quoting import spark_literal
from etl.transform.draft import Check, Draft, column_of


class ConsentState(FrozenModel):
    """Adds `consent_state`: granted, withdrawn (granted once) or denied. A withdrawal before the grant is a reject."""

    granted: str = "is_granted"
    granted_at: str = "granted_at"
    withdrawn_at: str = "withdrawn_at"

    def __call__(self, draft: Draft) -> Draft:
        granted_at, withdrawn_at = column_of(self.granted_at), column_of(self.withdrawn_at)
        reason = spark_literal(f"{self.withdrawn_at} is before {self.granted_at}")
        draft = draft.failing([Check("consent:withdrawn_before_grant", withdrawn_at < granted_at, reason)])
        state = (
            F.when(withdrawn_at.isNotNull(), F.lit("withdrawn"))
            .when(column_of(self.granted), F.lit("granted"))
            .otherwise(F.lit("denied"))
        )
        return draft.retyped({"consent_state": state})


class Deadline(FrozenModel):
    """Adds `hours_taken` and `is_late`, NULL while the matter is open. A due date lasts until the day's end (UTC)."""

    opened: str
    closed: str
    due: str

    def __call__(self, draft: Draft) -> Draft:
        opened, closed = column_of(self.opened), column_of(self.closed)
        hours = F.round((F.unix_micros(closed) - F.unix_micros(opened)) / F.lit(3_600_000_000), 2)
        return draft.retyped({"hours_taken": hours, "is_late": closed > self._limit(draft)})

    def _limit(self, draft: Draft) -> Column:
        due = column_of(self.due)
        if draft.fields[self.due].dataType.typeName() == "date":
            return F.date_add(due, 1).cast("timestamp") - F.expr("INTERVAL 1 MICROSECOND")
        return due
