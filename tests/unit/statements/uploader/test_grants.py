"""The exact text of what `uploader init` prints."""

from __future__ import annotations

from etl.statements.uploader.grants import Places, grant_statements


def test_a_target_in_the_manifests_schema() -> None:
    assert grant_statements(Places("warehouse", "public", "public"), "loader", "orders") == [
        'GRANT CONNECT, TEMPORARY ON DATABASE "warehouse" TO "loader";',
        'GRANT USAGE ON SCHEMA "public" TO "loader";',
        'GRANT SELECT, INSERT, UPDATE ON "public"."ingestion_manifest" TO "loader";',
        'GRANT SELECT, INSERT ON "public"."ingestion_batches" TO "loader";',
        'GRANT SELECT, INSERT ON "public"."ingestion_rejects" TO "loader";',
        'GRANT SELECT, INSERT, UPDATE ON "public"."ingestion_alerts" TO "loader";',
        'GRANT SELECT, INSERT, UPDATE ON "public"."orders" TO "loader";',
    ]


def test_a_target_elsewhere_needs_its_schema_too() -> None:
    statements = grant_statements(Places('odd"name', "public", None), "loader", "sales.orders")
    assert statements[0] == 'GRANT CONNECT, TEMPORARY ON DATABASE "odd""name" TO "loader";'
    assert 'GRANT USAGE ON SCHEMA "sales" TO "loader";' in statements
    assert statements[-1] == 'GRANT SELECT, INSERT, UPDATE ON "sales"."orders" TO "loader";'


def test_what_a_default_draws_from_is_granted() -> None:
    places = Places("d", "public", "public", ['"public"."t_n_seq"'])
    assert grant_statements(places, "loader", "t")[-1] == 'GRANT USAGE ON SEQUENCE "public"."t_n_seq" TO "loader";'


def test_without_a_target_only_the_manifest_is_granted() -> None:
    assert len(grant_statements(Places("d", "public", None), "loader", "")) == 6
