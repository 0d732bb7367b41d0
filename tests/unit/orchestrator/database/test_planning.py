"""The steps from one shape to another, and their order."""

from __future__ import annotations

from dataclasses import replace

from etl.orchestrator.database.planning import plan_steps, refusals
from etl.orchestrator.database.shape import Column, Constraint, Index, Shape, Table
from etl.orchestrator.database.steps import BuildIndex, Change, Look, Phase, Refusal

NUMBER = Column("run_id", "bigint", is_required=True, is_identity=True, is_generated=False, default=None)
STATUS = Column("status", "text", is_required=True, is_identity=False, is_generated=False, default="'queued'::text")
MADE = Column(
    "made_at",
    "timestamp with time zone",
    is_required=True,
    is_identity=False,
    is_generated=False,
    default="clock_timestamp()",
)
KEY = Constraint("dw_etl_x", "dw_etl_x_pkey", "p", True, "PRIMARY KEY (run_id)")
CHECK = Constraint("dw_etl_x", "dw_etl_x_check", "c", True, "CHECK ((status <> ''::text))")
FOREIGN = Constraint("dw_etl_x", "dw_etl_x_fkey", "f", True, "FOREIGN KEY (run_id) REFERENCES dw_etl_y(run_id)")


def index(name: str, definition: str, **changes: bool) -> Index:
    found = Index("dw_etl_x", name, True, False, False, False, definition, ("run_id",))
    return replace(found, **changes)  # type: ignore[arg-type]


KEYS_INDEX = index(
    "dw_etl_x_pkey", "CREATE UNIQUE INDEX dw_etl_x_pkey ON dw_etl_x", is_unique=True, is_of_constraint=True
)
PLAIN = index("dw_etl_x_idx", "CREATE INDEX dw_etl_x_idx ON dw_etl_x USING btree (status)")
LAST = index("dw_etl_x_key", "CREATE UNIQUE INDEX dw_etl_x_key ON dw_etl_x", is_unique=True, is_partial=True)

WANTED = Shape(
    {
        "dw_etl_x": Table(
            "dw_etl_x",
            columns={each.name: each for each in (NUMBER, STATUS, MADE)},
            constraints={each.name: each for each in (CHECK, FOREIGN, KEY)},
        )
    },
    {each.name: each for each in (LAST, KEYS_INDEX, PLAIN)},
    frozenset(),
)


def standing(*columns: Column, constraints: tuple[Constraint, ...] = (), indexes: tuple[Index, ...] = ()) -> Shape:
    table = Table(
        "dw_etl_x",
        columns={each.name: each for each in columns},
        constraints={each.name: each for each in constraints},
    )
    return Shape({"dw_etl_x": table}, {each.name: each for each in indexes}, frozenset())


def test_nothing_is_done_where_all_stands() -> None:
    assert plan_steps(WANTED, WANTED) == []
    assert refusals(WANTED, WANTED) == []


def test_all_that_is_missing_comes_in_its_order() -> None:
    found = standing(replace(NUMBER, is_identity=False, is_required=False), replace(STATUS, default=None))
    steps = plan_steps(found, WANTED)
    assert [(step.phase, step.what) for step in steps] == [
        (Phase.TABLES, "change column status"),
        (Phase.TABLES, "add column made_at"),
        (Phase.CONSTRAINTS, "column run_id: refuse NULL in what is written"),
        (Phase.CONSTRAINTS, "validate run_id_is_there"),
        (Phase.CONSTRAINTS, "column run_id: NOT NULL"),
        (Phase.CONSTRAINTS, "add constraint dw_etl_x_check"),
        (Phase.CONSTRAINTS, "validate dw_etl_x_check"),
        (Phase.CONSTRAINTS, "build index dw_etl_x_pkey"),
        (Phase.CONSTRAINTS, "build index dw_etl_x_idx"),
        (Phase.CONSTRAINTS, "add PRIMARY KEY (run_id)"),
        (Phase.CONSTRAINTS, "column run_id: numbers of its own"),
        (Phase.CONSTRAINTS, "add constraint dw_etl_x_fkey"),
        (Phase.CONSTRAINTS, "validate dw_etl_x_fkey"),
        (Phase.ONE_AT_A_TIME, "build index dw_etl_x_key"),
    ]


def test_a_default_that_differs_row_by_row_costs_no_rewrite() -> None:
    found = standing(NUMBER, STATUS, constraints=(CHECK, FOREIGN, KEY), indexes=(LAST, KEYS_INDEX, PLAIN))
    (step,) = plan_steps(found, WANTED)
    assert isinstance(step, Change)
    assert step.statements == (
        'ALTER TABLE "dw_etl_x" ADD COLUMN IF NOT EXISTS "made_at" timestamp with time zone DEFAULT now() NOT NULL',
        'ALTER TABLE "dw_etl_x" ALTER COLUMN "made_at" SET DEFAULT clock_timestamp()',
    )


def test_what_was_left_in_the_middle_is_taken_up() -> None:
    found = standing(
        NUMBER,
        STATUS,
        MADE,
        constraints=(replace(CHECK, is_valid=False), replace(FOREIGN, definition="FOREIGN KEY (other)"), KEY),
        indexes=(
            replace(LAST, is_valid=False),
            KEYS_INDEX,
            replace(PLAIN, definition="CREATE INDEX of something else"),
        ),
    )
    check, rebuilt, changed, validated, last = plan_steps(found, WANTED)
    assert isinstance(check, Look)
    assert isinstance(rebuilt, BuildIndex)
    assert rebuilt.replaces
    assert isinstance(changed, Change)
    assert changed.statements == (
        'ALTER TABLE "dw_etl_x" DROP CONSTRAINT "dw_etl_x_fkey"',
        'ALTER TABLE "dw_etl_x" ADD CONSTRAINT "dw_etl_x_fkey" FOREIGN KEY (run_id) REFERENCES dw_etl_y(run_id)'
        " NOT VALID",
    )
    assert isinstance(validated, Look)
    assert isinstance(last, BuildIndex)
    assert last.replaces


def test_a_key_of_another_name_serves() -> None:
    key, its_index = replace(KEY, name="other"), replace(KEYS_INDEX, name="other")
    found = standing(NUMBER, STATUS, MADE, constraints=(CHECK, FOREIGN, key), indexes=(LAST, its_index, PLAIN))
    assert plan_steps(found, WANTED) == []
    assert refusals(found, WANTED) == []


def test_what_no_step_mends_is_refused() -> None:
    mine = Column("mine", "text", is_required=True, is_identity=False, is_generated=False, default=None)
    other_key = replace(KEY, definition="PRIMARY KEY (status)")
    unique = replace(PLAIN, definition="CREATE UNIQUE INDEX of something else", is_of_constraint=True)
    found = standing(NUMBER, replace(STATUS, type="integer"), MADE, mine, constraints=(other_key,), indexes=(unique,))
    assert [refusal.table for refusal in refusals(found, WANTED)] == ["dw_etl_x"] * 4
    told = "\n".join(refusal.found for refusal in refusals(found, WANTED))
    assert "column status: expected text, found integer" in told
    assert "column mine is NOT NULL without a default" in told
    assert "expected PRIMARY KEY (run_id), found PRIMARY KEY (status)" in told
    assert "constraint dw_etl_x_idx is CREATE UNIQUE INDEX of something else" in told


def test_the_owner_is_asked_only_where_something_is_to_be_done() -> None:
    table = replace(WANTED.tables["dw_etl_x"], owner="anna", is_owned=False)
    all_there = replace(WANTED, tables={"dw_etl_x": table})
    assert refusals(all_there, WANTED) == []
    less = replace(all_there, indexes={})
    assert refusals(less, WANTED) == [Refusal("dw_etl_x", "it belongs to anna; connect as its owner")]
