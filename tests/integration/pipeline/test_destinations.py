"""Stores that are loaded on different nights, or of which one fails."""

from __future__ import annotations

import pytest

from tests.integration.pipeline.conftest import STORES, Stores, counted, everywhere, status_of

pytestmark = pytest.mark.stack

TABLES = ("roles", "grants", "uses")
STAMPS = "created_at timestamptz NOT NULL DEFAULT '2026-01-01', updated_at timestamptz NOT NULL DEFAULT '2026-01-01'"


@pytest.fixture
def security(stores: Stores) -> Stores:
    """One table of each kind, loaded everywhere."""
    stores.shop.source(
        "CREATE TABLE roles (id int PRIMARY KEY, name text);"
        f"CREATE TABLE grants (id int PRIMARY KEY, name text, role int REFERENCES roles, {STAMPS});"
        f"CREATE TABLE uses (id int PRIMARY KEY, name text, role int REFERENCES roles, {STAMPS});"
        "INSERT INTO roles SELECT g, 'n' || g FROM generate_series(1, 3) g;"
        "INSERT INTO grants SELECT id, name, id FROM roles; INSERT INTO uses SELECT id, name, id FROM roles"
    )
    stores.configure({"roles": "", "grants": "kind: snapshot", "uses": "kind: event, date_column: created_at"})
    exit_code, report = stores.run()
    assert exit_code == 0, report
    return stores


def test_one_store_tonight_and_all_tomorrow_leaves_none_short(security: Stores) -> None:
    shop = security.shop
    shop.source(
        "INSERT INTO roles VALUES (4, 'n4'); INSERT INTO grants VALUES (4, 'n4', 4, now(), now());"
        "INSERT INTO uses VALUES (4, 'n4', 4, now(), now());"
        "UPDATE grants SET name = 'changed', updated_at = now() WHERE id = 1"
    )
    _, tonight = shop.run("--domains", shop.name, destinations="s3")
    assert status_of(tonight) == dict.fromkeys([(table, "s3") for table in TABLES], "success")
    inserted = {load["table"]: load["rows_inserted"] for load in tonight["loads"]}
    assert inserted == dict.fromkeys(TABLES, 1)
    _, tomorrow = security.run("--domains", shop.name)
    for table in TABLES:
        assert counted(tomorrow, table, "status")["s3"] == "unchanged"
        late = counted(tomorrow, table, "rows_inserted")
        assert late["postgresql"] == late["clickhouse"] == inserted[table]
    new = [(2, "n2"), (3, "n3"), (4, "n4")]
    for table, file_format in (("roles", "parquet"), ("grants", "delta"), ("uses", "delta")):
        first = (1, "changed" if table == "grants" else "n1")
        assert security.rows(table, "id, name", file_format) == everywhere([first, *new])


def test_a_failing_table_stops_no_other_and_is_resumed(security: Stores) -> None:
    shop = security.shop
    shop.target("ALTER TABLE roles RENAME TO set_aside; CREATE VIEW roles AS SELECT 1 AS one")
    exit_code, failed = security.run("--tables", "roles,grants", "--full-refresh")
    assert (exit_code, failed["status"]) == (1, "partial")
    broken = next(load for load in failed["loads"] if (load["table"], load["destination"]) == ("roles", "postgresql"))
    assert "roles" in broken["error"]
    expected = {(table, store): "unchanged" for table in ("roles", "grants") for store in STORES}
    assert status_of(failed) == expected | {("roles", "postgresql"): "failed"}

    shop.target("DROP VIEW roles; ALTER TABLE set_aside RENAME TO roles")
    _, resumed = shop.run("--resume", failed["run_id"])
    assert (resumed["status"], [*status_of(resumed)]) == ("success", [("roles", "postgresql")])
