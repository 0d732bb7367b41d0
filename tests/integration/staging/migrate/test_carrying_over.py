"""What belongs to a column that is replaced goes to the new one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etl.config.settings import PostgreSQLSettings
from etl.staging.migrate import MigrationSettings, plan_migration, run_migration
from etl.staging.migrate.planning.steps import Fill, Step
from tests.integration.staging.migrate.checking import Execute

pytestmark = pytest.mark.stack

GRANTS = """SELECT grantee, column_name, privilege_type, is_grantable FROM information_schema.column_privileges
WHERE table_name = 'stg_x' AND grantee <> current_user ORDER BY 1, 2, 3"""


@pytest.fixture
def roles(database: PostgreSQLSettings, execute: Execute) -> Iterator[tuple[str, str]]:
    """Of names that must be quoted."""
    names = ("migrate's reader", "migrate WRITER")
    for name in names:
        execute(f'DROP ROLE IF EXISTS "{name}"; CREATE ROLE "{name}"')
    yield names
    execute("DROP TABLE stg_x")
    for name in names:
        execute(f'DROP ROLE "{name}"')


def test_grants_and_comments_of_replaced_columns_stay(
    database: PostgreSQLSettings, execute: Execute, settings: MigrationSettings, roles: tuple[str, str]
) -> None:
    reader, writer = roles
    execute("CREATE TABLE stg_x (source_id integer PRIMARY KEY, data json, loaded_at timestamptz)")
    execute("INSERT INTO stg_x VALUES (1, '{}')")
    execute(f'GRANT SELECT (source_id, data), UPDATE (data) ON stg_x TO "{writer}" WITH GRANT OPTION')
    execute(f'GRANT SELECT (data) ON stg_x TO "{reader}"; GRANT SELECT (source_id) ON stg_x TO PUBLIC')
    execute("COMMENT ON COLUMN stg_x.data IS 'the record''s own \\ text, 100% of it'")
    before = execute(GRANTS)
    assert len(before) == 5

    def grant_late(_table: str, step: Step) -> None:
        """While the columns are being filled: it is carried over, too."""
        if isinstance(step, Fill):
            execute(f'GRANT INSERT (source_id) ON stg_x TO "{reader}"')
            execute("COMMENT ON COLUMN stg_x.source_id IS 'late'")

    (report,) = run_migration(database, settings, on_step=grant_late).tables
    assert report.reason is None
    assert execute(
        "SELECT data_type FROM information_schema.columns WHERE (table_name, column_name) = ('stg_x', 'data')"
    ) == [("jsonb",)]
    assert execute(GRANTS) == sorted([*before, (reader, "source_id", "INSERT", "NO")])
    comment = "SELECT col_description('stg_x'::regclass, attnum) FROM pg_attribute WHERE attrelid = 'stg_x'::regclass"
    assert execute(f"{comment} AND attname IN ('data', 'source_id', 'is_valid') ORDER BY attname") == [
        ("the record's own \\ text, 100% of it",),
        (None,),
        ("late",),
    ]
    assert plan_migration(database, settings).is_empty
