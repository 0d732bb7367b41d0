from __future__ import annotations

from etl.model import ColumnDefinition
from etl.statements.source.widths import widest_row


def test_what_is_small_is_not_measured() -> None:
    assert widest_row([]) == "0"
    small = ("bigint", "timestamp(3) with time zone", "uuid", "date", "boolean")
    assert widest_row(ColumnDefinition(str(place), type_) for place, type_ in enumerate(small)) == "80"


def test_texts_are_measured_where_they_stand_and_documents_as_text() -> None:
    columns = [
        ColumnDefinition("id", "integer"),
        ColumnDefinition("body", "text"),
        ColumnDefinition("raw", "bytea"),
        ColumnDefinition("doc", "jsonb"),
        ColumnDefinition("days", "date[]"),
        # at the source an enum, say, which has no length of its own
        ColumnDefinition("mood", "text", stands_for="mood"),
    ]
    as_text = (
        'coalesce(CASE WHEN pg_column_size("{0}") > 500 THEN octet_length("{0}"::text) '
        'ELSE 8 * pg_column_size("{0}") END, 0)'
    )
    assert widest_row(columns) == (
        'coalesce(max(16 + coalesce(octet_length("body"), 0) + coalesce(octet_length("raw"), 0) + '
        f"{as_text.format('doc')} + {as_text.format('days')} + {as_text.format('mood')}), 0)"
    )
