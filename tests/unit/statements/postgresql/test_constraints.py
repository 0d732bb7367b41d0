from etl.statements.postgresql import constraints
from etl.statements.postgresql.naming import StagedColumn, Table
from etl.statements.postgresql.sequences import advance_sequence
from etl.statements.postgresql.writing import Write

WRITE = Write(
    target=Table("public", "stays"),
    staging=Table("etl_staging", "s_1"),
    columns=(StagedColumn("id", "integer", "integer"), StagedColumn("during", "int4range", "text")),
    match=("id",),
    settable=("during",),
)
ROWS = (
    'SELECT d.ctid AS _etl_row, CAST(d."during" AS int4range) AS "during" FROM "etl_staging"."s_1" AS d '
    "WHERE d._etl_rule IS NULL OFFSET 0"
)
MARK = 'UPDATE "etl_staging"."s_1" AS s SET _etl_rule = '


def test_checks_see_the_values_of_accepted_rows_as_the_target_would_hold_them() -> None:
    expressions = ["NOT isempty(during)", "upper_inf(during)"]
    assert constraints.count_broken_checks(WRITE, ["during"], expressions) == (
        "SELECT count(*) FILTER (WHERE (NOT isempty(during)) IS FALSE), "
        f"count(*) FILTER (WHERE (upper_inf(during)) IS FALSE) FROM ({ROWS}) AS c"
    )
    assert constraints.mark_broken_check(WRITE, "it's", ["during"], "NOT isempty(during)") == (
        f"{MARK}'check:it''s', _etl_reason = 'public.stays requires NOT isempty(during)', _etl_status = 'rejected' "
        f"FROM (SELECT c._etl_row FROM ({ROWS}) AS c WHERE (NOT isempty(during)) IS FALSE) AS e "
        "WHERE s.ctid = e._etl_row"
    )


def test_stored_rows_exclude_by_the_constraints_own_operators() -> None:
    elements = [("during", "OPERATOR(pg_catalog.&&)")]
    clash = (
        'EXISTS (SELECT FROM "public"."stays" AS t WHERE t."during" OPERATOR(pg_catalog.&&) '
        'CAST(s."during" AS int4range) AND NOT (t."id" = s."id")'
    )
    assert constraints.mark_excluded(WRITE, "apart", elements, holders_move=False, deferrable=False) == (
        f"{MARK}'exclusion:apart', _etl_reason = 'another row of public.stays excludes it', "
        f"_etl_status = 'rejected' WHERE s._etl_rule IS NULL AND {clash})"
    )


def test_the_probe_takes_the_constraint_without_its_timing() -> None:
    definition = "EXCLUDE USING gist (during WITH &&)"
    for timing in ("", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"):
        created, constrained = constraints.create_probe(WRITE, definition + timing)
        assert created == (
            'CREATE UNLOGGED TABLE "etl_staging"."s_1_x" AS SELECT CAST(NULL AS tid) AS _etl_row, t.* '
            'FROM "public"."stays" AS t WITH NO DATA'
        )
        assert constrained == f'ALTER TABLE "etl_staging"."s_1_x" ADD {definition}'


def test_sequences_move_in_their_own_direction() -> None:
    table, sequence = Table("public", "stays"), Table("public", "it's")
    assert advance_sequence(table, "id", sequence, ascending=True) == (
        "SELECT setval(CAST('\"public\".\"it''s\"' AS regclass), f.value) FROM ("
        'SELECT max("id") AS value FROM "public"."stays") AS f, "public"."it\'s" AS q '
        "WHERE f.value > q.last_value OR (f.value = q.last_value AND NOT q.is_called)"
    )
    falling = advance_sequence(table, "id", sequence, ascending=False)
    assert 'min("id")' in falling and "f.value < q.last_value" in falling
