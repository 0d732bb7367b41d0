"""What real sources have: stray spaces, control characters, repeated business keys, orphans, absurd dates, wrong case.

Only where the source has no constraint against it, and never in a watermark column: the rows stay extractable.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from etl.sample import values
from etl.sample.draw import Mask
from etl.sample.rows import Rows
from etl.sample.values import Column, Columns, join, words


class Fault(StrEnum):
    STRAY_SPACES = "stray spaces"
    CONTROL_CHARACTERS = "control characters"
    WRONG_CASE = "wrong case"
    ABSURD_DATES = "absurd dates"
    ORPHANS = "orphans"
    DUPLICATE_KEYS = "duplicate business keys"


@dataclass(frozen=True)
class Soil:
    """The columns of one table that can hold each fault; `duplicates` repeats them all from the row before."""

    spaces: tuple[str, ...] = ()
    controls: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()


SOILS: Mapping[str, Soil] = {
    "brands": Soil(spaces=("name", "tagline")),
    "users": Soil(spaces=("first_name", "display_name"), controls=("last_name",), dates=("birth_date",)),
    "user_accounts": Soil(cases=("provider",), dates=("ends_on",), duplicates=("user_id", "brand_id", "account_type")),
    "company_employees": Soil(spaces=("job_title",), dates=("birth_date", "termination_date")),
    "company_internal_content": Soil(spaces=("title",), controls=("body",), dates=("expires_on",)),
    "company_content_events": Soil(cases=("event_type",), orphans=("employee_id",), controls=("comment_text",)),
    "security_api_key_usage": Soil(cases=("method",), controls=("user_agent",), dates=("usage_timestamp",)),
    "security_user_sessions": Soil(cases=("login_method",)),
    "ml_model_predictions": Soil(cases=("label",), orphans=("user_id", "article_id")),
    "editorial_authors": Soil(spaces=("full_name", "pen_name"), controls=("biography",), dates=("joined_on",)),
    "editorial_articles": Soil(
        spaces=("title", "subtitle"), controls=("body",), cases=("article_type",), dates=("published_at",)
    ),
    "editorial_content_events": Soil(cases=("event_type",), orphans=("article_id",), dates=("event_date",)),
    "editorial_headline_tests": Soil(spaces=("headline_a",), controls=("headline_b",)),
    "editorial_media_assets": Soil(
        spaces=("alt_text",), dates=("taken_on", "license_expires_on"), duplicates=("file_name", "checksum")
    ),
    "editorial_media_usage": Soil(cases=("usage_type",), orphans=("article_id",), dates=("usage_timestamp",)),
    "customer_sessions": Soil(spaces=("referrer",), dates=("session_start",)),
    "customer_events": Soil(
        spaces=("page_url",),
        cases=("event_type",),
        orphans=("user_id", "article_id"),
        dates=("client_time",),
        duplicates=("session_id", "event_type", "event_date", "event_timestamp"),
    ),
    "data_quality_alerts": Soil(cases=("severity",), controls=("message",)),
    "data_validation_results": Soil(
        orphans=("check_id",), duplicates=("rule_id", "record_key", "validation_timestamp")
    ),
    "compliance_user_consent": Soil(
        cases=("legal_basis",), duplicates=("user_id", "brand_id", "consent_type", "policy_version")
    ),
    "compliance_data_subject_requests": Soil(spaces=("requester_email",), controls=("notes",)),
    "compliance_retention_executions": Soil(cases=("status",)),
    "compliance_privacy_assessments": Soil(cases=("risk_level",), dates=("next_review_date",)),
    "audit_logs": Soil(spaces=("user",), cases=("action",), dates=("event_timestamp",)),
    "audit_security_events": Soil(cases=("severity",), controls=("description",)),
    "audit_data_changes": Soil(duplicates=("table_name", "record_id", "transaction_number")),
}

_CONTROLS = words(["\x01", "\x0b", "\x1f", "\x7f", "\u0085", "\u200b", "\ufeff"])
_ABSURD_DATES = (date(1, 1, 1), date(1582, 10, 10), date(1969, 12, 31), date(9999, 12, 31))
_ABSURD_INSTANTS = (
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(1899, 12, 31, 23, 59, 59, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
)
_NOBODY = 900_000_000_000
"""Added to a reference to make it point at a row that never was."""


class Dirt:
    """Soils a fraction of the values of each column that SOILS names, and counts what it did."""

    def __init__(self, fraction: float) -> None:
        self.fraction = fraction
        self.counts: Counter[tuple[str, str, Fault]] = Counter()

    def soil(self, rows: Rows, columns: Columns) -> Columns:
        soil = SOILS.get(rows.table)
        if soil is None or not self.fraction:
            return columns
        soiled = dict(columns)
        self._repeat_keys(rows, soiled, soil.duplicates)
        for fault, names in _columns_by_fault(soil).items():
            for name in names:
                self._spoil(rows, soiled, name, fault)
        return soiled

    def _spoil(self, rows: Rows, columns: Columns, name: str, fault: Fault) -> None:
        column = columns[name]
        chosen = self._chosen(rows, f"{fault}/{name}") & column.is_valid().to_numpy(zero_copy_only=False)
        if chosen.any():
            columns[name] = pc.if_else(pa.array(chosen), _SPOILERS[fault](rows, column), column)
            self.counts[rows.table, name, fault] += int(chosen.sum())

    def _repeat_keys(self, rows: Rows, columns: Columns, names: tuple[str, ...]) -> None:
        """Every other row at most, so that a repeated key stands exactly twice."""
        if not names:
            return
        chosen = self._chosen(rows, str(Fault.DUPLICATE_KEYS)) & (np.arange(len(rows.index)) % 2 == 1)
        source = pa.array(np.arange(len(rows.index)) - chosen)
        for name in names:
            columns[name] = columns[name].take(source)
        if chosen.any():
            self.counts[rows.table, ", ".join(names), Fault.DUPLICATE_KEYS] += int(chosen.sum())

    def _chosen(self, rows: Rows, name: str) -> Mask:
        return rows.chance(f"dirty/{name}", self.fraction)


def _columns_by_fault(soil: Soil) -> dict[Fault, tuple[str, ...]]:
    return {
        Fault.STRAY_SPACES: soil.spaces,
        Fault.CONTROL_CHARACTERS: soil.controls,
        Fault.WRONG_CASE: soil.cases,
        Fault.ABSURD_DATES: soil.dates,
        Fault.ORPHANS: soil.orphans,
    }


def _with_spaces(rows: Rows, column: Column) -> Column:
    return join("  ", column, " ")


def _with_controls(rows: Rows, column: Column) -> Column:
    inserted = rows.choice("dirty/control", _CONTROLS)
    return join(pc.utf8_slice_codeunits(column, 0, 1), inserted, pc.utf8_slice_codeunits(column, 1))


def _in_wrong_case(rows: Rows, column: Column) -> Column:
    return pc.if_else(values.flags(rows.chance("dirty/upper", 0.5)), pc.utf8_upper(column), pc.utf8_capitalize(column))


def _absurd(rows: Rows, column: Column) -> Column:
    options = _ABSURD_DATES if pa.types.is_date(column.type) else _ABSURD_INSTANTS
    choices = pa.array(options).cast(column.type)
    return values.take(choices, rows.whole("dirty/date", 0, len(options) - 1))


def _orphaned(rows: Rows, column: Column) -> Column:
    return pc.add(column, _NOBODY)


_SPOILERS = {
    Fault.STRAY_SPACES: _with_spaces,
    Fault.CONTROL_CHARACTERS: _with_controls,
    Fault.WRONG_CASE: _in_wrong_case,
    Fault.ABSURD_DATES: _absurd,
    Fault.ORPHANS: _orphaned,
}
