"""Sessions of readers and of staff: how long they lasted, and whether the visitor left at once."""

from __future__ import annotations

from pyspark.sql import functions as F

from etl.config.frozen import FrozenModel
from etl.statements.quoting import spark_literal
from etl.transform.draft import Check, Draft, column_of


class SessionMetrics(FrozenModel):
    """Adds `duration_seconds` (NULL while the session is open) and, where pages are counted, `is_bounce`.

    A session that ended before it began is a reject: its clock cannot be trusted.
    """

    start: str = "session_start"
    end: str = "session_end"
    page_views: str | None = "page_views"
    bounce_pages: int = 1

    def __call__(self, draft: Draft) -> Draft:
        start, end = column_of(self.start), column_of(self.end)
        reason = spark_literal(f"{self.end} is before {self.start}")
        draft = draft.failing([Check("session:ends_before_start", end < start, reason)])
        seconds = (F.unix_micros(end) - F.unix_micros(start)) / F.lit(1_000_000)
        metrics = {"duration_seconds": F.floor(seconds)}
        if self.page_views is not None:
            metrics["is_bounce"] = column_of(self.page_views) <= self.bounce_pages
        return draft.retyped(metrics)
