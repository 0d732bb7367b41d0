from etl.statements.postgresql import rejects, violations
from etl.statements.postgresql.naming import StagedColumn, Table
from etl.statements.postgresql.violations import Parent
from etl.statements.postgresql.writing import Write

WRITE = Write(
    target=Table("public", "children"),
    staging=Table("etl_staging", "s_1"),
    columns=(StagedColumn("id", "integer", "integer"), StagedColumn("parent%", "integer", "integer")),
    match=("id",),
    settable=("parent%",),
)
PARENTS = Table("public", "parents")
MARK = (
    'UPDATE "etl_staging"."s_1" AS s SET _etl_rule = \'foreign_key:parent%->parents\', '
    "_etl_reason = 'no row in public.parents has this id', _etl_status = 'waiting' "
    'WHERE s._etl_rule IS NULL AND s."parent%" IS NOT NULL'
)
STORED = ' AND NOT EXISTS (SELECT FROM "public"."parents" AS p WHERE p."id" = s."parent%")'
STAGED = ' AND NOT EXISTS (SELECT FROM "etl_staging"."s_2" AS b WHERE b._etl_rule IS NULL AND b."id" = s."parent%")'


def test_orphans_have_no_parent_stored_or_staged() -> None:
    staged = Write(PARENTS, Table("etl_staging", "s_2"), WRITE.columns[:1], ("id",), ())
    assert violations.mark_orphans(WRITE, ["parent%"], Parent(PARENTS, ("id",))) == MARK + STORED
    assert violations.mark_orphans(WRITE, ["parent%"], Parent(PARENTS, ("id",), staged)) == MARK + STORED + STAGED
    assert violations.mark_orphans(WRITE, ["parent%"], Parent(PARENTS, ("id",), staged, stored=False)) == MARK + STAGED


def test_duplicates_of_another_key() -> None:
    assert violations.has_duplicates(WRITE, ["parent%"]) == (
        'SELECT EXISTS (SELECT FROM "etl_staging"."s_1" AS s WHERE s._etl_rule IS NULL AND s."parent%" IS NOT NULL '
        'GROUP BY s."parent%" HAVING count(*) > 1)'
    )
    assert violations.mark_duplicates(WRITE, ["parent%"], stored=True) == (
        'UPDATE "etl_staging"."s_1" AS s SET _etl_rule = \'unique:parent%\', '
        "_etl_reason = 'another row of this load has the same parent%', _etl_status = 'rejected' FROM ("
        "SELECT r.row_id, row_number() OVER (PARTITION BY r.value_0 ORDER BY r.holds DESC, r.key_0, r.row_id) "
        'AS position FROM (SELECT d.ctid AS row_id, d."parent%" AS value_0, d."id" AS key_0, '
        'EXISTS (SELECT FROM "public"."children" AS t WHERE t."id" = d."id" AND t."parent%" = d."parent%") AS holds, '
        'count(*) OVER (PARTITION BY d."parent%") AS holders FROM "etl_staging"."s_1" AS d '
        'WHERE d._etl_rule IS NULL AND d."parent%" IS NOT NULL) AS r WHERE r.holders > 1) AS e '
        "WHERE s.ctid = e.row_id AND e.position > 1"
    )


def test_values_that_another_row_holds() -> None:
    holder = 'EXISTS (SELECT FROM "public"."children" AS t WHERE t."parent%" = s."parent%" AND NOT (t."id" = s."id")'
    head = (
        'UPDATE "etl_staging"."s_1" AS s SET _etl_rule = \'unique:parent%\', '
        "_etl_reason = 'another row of public.children holds the same parent%', _etl_status = 'rejected' "
        "WHERE s._etl_rule IS NULL AND "
    )
    moves = (
        'EXISTS (SELECT FROM "etl_staging"."s_1" AS m WHERE m._etl_rule IS NULL AND t."id" = m."id" '
        'AND (t."parent%" IS DISTINCT FROM m."parent%"))'
    )
    is_new = 'NOT EXISTS (SELECT FROM "public"."children" AS o WHERE o."id" = s."id")'
    build = violations.mark_taken
    assert build(WRITE, ["parent%"], holders_move=False, deferrable=False) == f"{head}{holder})"
    assert build(WRITE, ["parent%"], holders_move=True, deferrable=True) == f"{head}{holder} AND NOT ({moves}))"
    assert build(WRITE, ["parent%"], holders_move=True, deferrable=False) == (
        f"{head}{holder} AND NOT ({moves} AND {is_new}))"
    )


def test_values_that_do_not_fit() -> None:
    column = StagedColumn("n", "smallint", "integer")
    unfit = 's."n" IS NOT NULL AND NOT pg_input_is_valid(CAST(s."n" AS text), \'smallint\')'
    assert violations.mark_unfit(WRITE, column) == (
        'UPDATE "etl_staging"."s_1" AS s SET _etl_rule = \'cast:n\', '
        "_etl_reason = 'the value does not fit smallint', _etl_status = 'rejected' "
        f"WHERE s._etl_rule IS NULL AND {unfit}"
    )
    assert violations.drop_unfit_values(WRITE, column) == (
        f'UPDATE "etl_staging"."s_1" AS s SET "n" = NULL WHERE s._etl_rule IS NULL AND {unfit}'
    )
    assert violations.mark_nulls(WRITE, "id") == (
        'UPDATE "etl_staging"."s_1" AS s SET _etl_rule = \'required:id\', '
        "_etl_reason = 'public.children requires a value in id', _etl_status = 'rejected' "
        'WHERE s._etl_rule IS NULL AND s."id" IS NULL'
    )
    assert violations.mark_unknown(WRITE, column) == (
        'UPDATE "etl_staging"."s_1" AS s SET _etl_rule = \'schema:n\', '
        "_etl_reason = 'public.children has no column n', _etl_status = 'rejected' "
        'WHERE s._etl_rule IS NULL AND s."n" IS NOT NULL'
    )


def test_rejects_bind_values_and_double_percent_signs() -> None:
    row = '(SELECT to_jsonb(_etl_row) FROM (SELECT s."id", s."parent%%") AS _etl_row)'
    key = "jsonb_build_object('id', s.\"id\")"
    waiting = "r.table_name = %(table_name)s AND r.destination = %(destination)s AND r.status = 'waiting'"
    assert rejects.insert_rejects(WRITE) == (
        "INSERT INTO etl.rejects (run_id, table_name, destination, rule, reason, row, key, status) "
        "SELECT %(run_id)s, %(table_name)s, %(destination)s, s._etl_rule, s._etl_reason, "
        f'{row}, {key}, s._etl_status FROM "etl_staging"."s_1" AS s WHERE s._etl_rule IS NOT NULL AND NOT ('
        f"s._etl_status = 'waiting' AND EXISTS (SELECT FROM etl.rejects AS r WHERE {waiting} "
        f"AND r.key_hash = md5(CAST({key} AS text))))"
    )
    assert rejects.resolve_waiting(WRITE) == (
        'UPDATE etl.rejects AS r SET status = \'resolved\', resolved_at = now() FROM "etl_staging"."s_1" AS s '
        f"WHERE {waiting} AND s._etl_status IS DISTINCT FROM 'waiting' AND r.key_hash = md5(CAST({key} AS text))"
    )


def test_replay_takes_the_newest_entry_of_each_key() -> None:
    assert rejects.stage_waiting(WRITE.staging, WRITE.target, WRITE.columns, ["id"]) == (
        'INSERT INTO "etl_staging"."s_1" ("_etl_attempt", "id", "parent%%") '
        'SELECT DISTINCT ON (p."id") r.reject_id, p."id", p."parent%%" FROM etl.rejects AS r, '
        'jsonb_populate_record(CAST(NULL AS "public"."children"), r.row) AS p '
        "WHERE r.table_name = %(table_name)s AND r.destination = %(destination)s AND r.status = 'waiting' "
        'ORDER BY p."id", r.reject_id DESC'
    )
