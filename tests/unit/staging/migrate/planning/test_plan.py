from __future__ import annotations

from dataclasses import replace

import pytest

from etl.errors import UsageError
from etl.staging.migrate import MigrationSettings, TablePlan
from etl.staging.migrate.planning.columns import Columns
from etl.staging.migrate.planning.facts import ColumnFacts, ConstraintFacts, IndexFacts, TableFacts
from etl.staging.migrate.planning.plan import plan_table
from etl.staging.migrate.planning.steps import (
    ArchiveDuplicates,
    ArchiveUnusable,
    BuildIndex,
    ChangeTable,
    DropIndex,
    Step,
)
from etl.staging.migrate.report import TableReport, TableStatus

SETTINGS = MigrationSettings()
CONTRACT = {
    "source_id": "text",
    "data": "jsonb",
    "etl_job_id": "text",
    "etl_run_id": "text",
    "loaded_at": "timestamptz",
    "created_at": "timestamptz",
    "updated_at": "timestamptz",
    "is_valid": "bool",
    "validation_errors": "jsonb",
    "source_updated_at": "timestamptz",
    "hash_digest": "text",
    "input_position": "int8",
}
OPTIONAL = {"validation_errors", "source_updated_at", "hash_digest"}


def column(name: str, type_name: str, **facts: object) -> ColumnFacts:
    return ColumnFacts(name, type_name, type_name, **facts)  # type: ignore[arg-type]


def finished() -> TableFacts:
    """A table that holds the contract."""
    names = {"loaded_at", "created_at", "updated_at", "is_valid", "input_position"}
    return TableFacts(
        "stg_x",
        columns={
            name: column(name, kind, is_required=name not in OPTIONAL, default_text="x" if name in names else None)
            for name, kind in CONTRACT.items()
        },
        indexes=(
            IndexFacts("any", ("source_id",), is_unique=True, constraint_name="any"),
            IndexFacts("i1", ("etl_run_id", "loaded_at")),
            IndexFacts("i2", ("etl_job_id",)),
            IndexFacts("i3", ("source_updated_at",)),
        ),
        constraints=(
            ConstraintFacts("k1", "f", ("etl_job_id",), parent="etl_jobs"),
            ConstraintFacts("k2", "f", ("etl_run_id",), parent="etl_runs"),
        ),
    )


def legacy(**types: str) -> TableFacts:
    return TableFacts("stg_x", columns={name: column(name, kind) for name, kind in types.items()})


def told(plan: TablePlan) -> list[str]:
    assert plan.skipped is None
    return [step.what for step in plan.steps]


def statements(plan: TablePlan) -> list[str]:
    return [text for step in plan.steps if isinstance(step, ChangeTable) for text in step.statements]


def test_a_table_that_holds_the_contract_needs_nothing_whatever_its_indexes_are_called() -> None:
    assert plan_table(finished(), SETTINGS) == TablePlan("stg_x")


@pytest.mark.parametrize("kind", ["text", "varchar"])
def test_a_text_that_takes_different_texts_for_equal_is_replaced_by_one_that_does_not(kind: str) -> None:
    facts = finished()
    loose = column("source_id", kind, is_required=True, is_loose=True)
    plan = plan_table(replace(facts, columns={**facts.columns, "source_id": loose}), SETTINGS)
    assert any('COLLATE "default"' in text for text in statements(plan))
    assert any("etl_new_source_id" in text for text in statements(plan))


def test_an_index_that_lets_updates_be_hot_serves_as_well() -> None:
    facts = finished()
    brin = tuple(
        replace(each, method="brin", is_plain=False) if each.name in ("i1", "i3") else each for each in facts.indexes
    )
    assert plan_table(replace(facts, indexes=brin), SETTINGS) == TablePlan("stg_x")


def test_a_plan_from_two_columns_to_the_contract() -> None:
    plan = plan_table(legacy(source_id="text", data="jsonb"), SETTINGS)
    assert told(plan) == [
        "move rows without source_id or data, and unreadable ones, into the archive",
        "move all but the latest row of each source_id into the archive",
        "add etl_job_id, etl_run_id, loaded_at, created_at, updated_at, is_valid, validation_errors,"
        " source_updated_at, hash_digest, input_position",
        "refuse NULL in new rows",
        "move rows without source_id or data, and unreadable ones, into the archive",
        "validate stg_x_source_id_not_null",
        "validate stg_x_data_not_null",
        "set source_id, data NOT NULL",
        "build unique index stg_x_source_id_key (source_id) concurrently",
        "make the unique index a constraint",
        "add foreign keys of etl_job_id, etl_run_id",
        "validate stg_x_etl_job_id_fkey",
        "validate stg_x_etl_run_id_fkey",
        "build index stg_x_etl_run_id_loaded_at_idx (etl_run_id, loaded_at) concurrently",
        "build index stg_x_etl_job_id_idx (etl_job_id) concurrently",
        "build index stg_x_source_updated_at_idx (source_updated_at) concurrently",
    ]
    # constant defaults are kept beside the rows: nothing is to be filled
    assert statements(plan)[0] == (
        'ALTER TABLE "stg_x" ADD COLUMN "etl_job_id" text DEFAULT \'historical\' NOT NULL,'
        " ADD COLUMN \"etl_run_id\" text DEFAULT 'historical' NOT NULL,"
        ' ADD COLUMN "loaded_at" timestamptz DEFAULT now() NOT NULL,'
        ' ADD COLUMN "created_at" timestamptz DEFAULT now() NOT NULL,'
        ' ADD COLUMN "updated_at" timestamptz DEFAULT now() NOT NULL,'
        ' ADD COLUMN "is_valid" boolean DEFAULT true NOT NULL, ADD COLUMN "validation_errors" jsonb,'
        ' ADD COLUMN "source_updated_at" timestamptz, ADD COLUMN "hash_digest" text,'
        ' ADD COLUMN "input_position" bigint DEFAULT 0 NOT NULL'
    )


def test_rows_are_deduplicated_before_any_row_moves() -> None:
    steps = plan_table(legacy(source_id="int4", data="text", loaded_at="timestamptz"), SETTINGS).steps
    kinds = [type(step) for step in steps]
    assert kinds[:2] == [ArchiveUnusable, ArchiveDuplicates]


def test_a_column_is_replaced_only_when_it_is_filled_unique_and_required() -> None:
    lines = told(plan_table(legacy(source_id="int4", data="text"), SETTINGS))
    order = [
        "fill etl_new_source_id, etl_new_data in batches",
        "set etl_new_source_id, etl_new_data NOT NULL",
        "build unique index stg_x_source_id_key (etl_new_source_id) concurrently",
        "let the new columns take the places of source_id, data",
    ]
    assert [line for line in lines if line in order][-4:] == order


def test_a_half_done_replacement_goes_on() -> None:
    begun = legacy(source_id="int4", data="jsonb")
    columns = {**begun.columns, "etl_new_source_id": column("etl_new_source_id", "text", is_required=True)}
    columns["data"] = column("data", "jsonb", is_required=True)
    unique = IndexFacts("stg_x_source_id_key", ("etl_new_source_id",), is_unique=True)
    plan = plan_table(
        replace(begun, columns=columns, indexes=(unique,), taken_names=frozenset({unique.name})), SETTINGS
    )
    lines = told(plan)
    assert not any("unique index stg_x" in line or "NOT NULL" in line for line in lines)
    swap = next(step for step in plan.steps if step.what.startswith("let the new columns"))
    assert isinstance(swap, ChangeTable)
    assert swap.statements[-1] == (
        'ALTER TABLE "stg_x" ADD CONSTRAINT "stg_x_source_id_key" UNIQUE USING INDEX "stg_x_source_id_key"'
    )


def test_known_instants_stand_in_for_unknown_ones() -> None:
    columns = Columns(legacy(source_id="text", data="jsonb", created_at="date"), SETTINGS)
    assert columns.filled("loaded_at") == (
        "coalesce((\"created_at\")::timestamp AT TIME ZONE 'UTC', clock_timestamp())"
    )
    assert columns.filled("created_at", lambda name: f"NEW.{name}") == (
        "CASE WHEN NEW.created_at IS NULL THEN clock_timestamp()"
        " ELSE (NEW.created_at)::timestamp AT TIME ZONE 'UTC' END"
    )
    assert columns.constant("loaded_at") is None
    assert columns.constant("input_position") == "0"


@pytest.mark.parametrize(
    ("kind", "zone", "is_indexed", "treatment"),
    [
        ("timestamp", "UTC", False, "alter"),
        ("timestamp", "UTC", True, "replace"),
        ("timestamp", "Europe/Berlin", False, "replace"),
        ("date", "UTC", False, "replace"),
        ("timestamptz", "Europe/Berlin", True, "keep"),
    ],
)
def test_a_type_is_changed_in_place_only_without_a_rewrite(
    kind: str, zone: str, is_indexed: bool, treatment: str
) -> None:
    facts = legacy(source_id="text", data="jsonb", loaded_at=kind)
    indexes = (IndexFacts("i", ("loaded_at",)),) if is_indexed else ()
    columns = Columns(replace(facts, indexes=indexes), replace(SETTINGS, time_zone=zone))
    assert columns.plans["loaded_at"].treatment == treatment


@pytest.mark.parametrize(
    "unusable",
    [
        IndexFacts("u", ("source_id",), is_unique=True, is_immediate=False, constraint_name="u"),
        IndexFacts("u", ("source_id",), is_unique=True, is_plain=False, is_whole=False),
        IndexFacts("u", ("source_id",), is_unique=False),
        IndexFacts("u", ("source_id", "loaded_at"), is_unique=True),
    ],
)
def test_what_on_conflict_cannot_use_is_not_taken_for_the_unique_index(unusable: IndexFacts) -> None:
    facts = finished()
    plan = plan_table(replace(facts, indexes=(unusable, *facts.indexes[1:])), SETTINGS)
    assert any(isinstance(step, BuildIndex) and step.index.is_unique for step in plan.steps)


def test_a_unique_index_of_another_name_becomes_the_constraint() -> None:
    facts = finished()
    bare = IndexFacts("mine", ("source_id",), is_unique=True)
    plan = plan_table(replace(facts, indexes=(bare, *facts.indexes[1:])), SETTINGS)
    assert statements(plan) == ['ALTER TABLE "stg_x" ADD CONSTRAINT "stg_x_source_id_key" UNIQUE USING INDEX "mine"']
    assert len(plan.steps) == 1


@pytest.mark.parametrize(("is_primary", "kind"), [(False, "UNIQUE"), (True, "PRIMARY KEY")])
def test_a_deferrable_key_gives_way_in_the_moment_its_successor_stands(is_primary: bool, kind: str) -> None:
    facts = finished()
    old = IndexFacts("old", ("source_id",), is_unique=True, is_immediate=False, constraint_name="old")
    old = replace(old, is_primary=is_primary)
    plan = plan_table(replace(facts, indexes=(old, *facts.indexes[1:])), SETTINGS)
    assert statements(plan) == [
        'ALTER TABLE "stg_x" DROP CONSTRAINT "old"',
        f'ALTER TABLE "stg_x" ADD CONSTRAINT "stg_x_source_id_key" {kind} USING INDEX "stg_x_source_id_key"',
    ]
    assert any("constraint old goes" in note for note in plan.notes)


def test_an_invalid_index_is_dropped_and_built_again_under_its_name() -> None:
    facts = finished()
    broken = IndexFacts("stg_x_etl_job_id_idx", ("etl_job_id",), is_valid=False)
    taken = frozenset({"stg_x_etl_job_id_idx"})
    indexes = (facts.indexes[0], facts.indexes[1], broken, facts.indexes[3])
    steps = plan_table(replace(facts, indexes=indexes, taken_names=taken), SETTINGS).steps
    assert steps[0] == DropIndex("stg_x_etl_job_id_idx")
    assert isinstance(steps[1], BuildIndex)
    assert steps[1].index.name == "stg_x_etl_job_id_idx"


def test_a_name_that_another_table_has_is_not_taken() -> None:
    facts = replace(legacy(source_id="text", data="jsonb"), taken_names=frozenset({"stg_x_source_id_key"}))
    assert "build unique index stg_x_source_id_key1 (source_id) concurrently" in told(plan_table(facts, SETTINGS))


def test_a_foreign_key_that_was_never_proved_is_proved() -> None:
    facts = finished()
    unproved = ConstraintFacts("k1", "f", ("etl_job_id",), is_valid=False, parent="etl_jobs")
    plan = plan_table(replace(facts, constraints=(unproved, facts.constraints[1])), SETTINGS)
    assert told(plan) == ["register the jobs and runs that rows name", "validate k1"]


def test_indexes_and_checks_that_go_with_a_column_are_told() -> None:
    facts = replace(
        legacy(source_id="int4", data="jsonb", tenant="text"),
        indexes=(IndexFacts("both", ("tenant", "source_id")),),
        constraints=(ConstraintFacts("positive", "c", ("source_id",)),),
    )
    notes = plan_table(facts, SETTINGS).notes
    assert "index both (tenant, source_id) goes with the column that is replaced" in notes
    assert "CHECK positive goes with the column that is replaced" in notes


def test_a_column_that_numbers_itself_becomes_a_plain_one() -> None:
    facts = finished()
    identity = column("input_position", "int8", is_required=True, is_identity=True)
    plan = plan_table(replace(facts, columns={**facts.columns, "input_position": identity}), SETTINGS)
    assert statements(plan) == [
        'ALTER TABLE "stg_x" ALTER COLUMN "input_position" DROP IDENTITY',
        'ALTER TABLE "stg_x" ALTER COLUMN "input_position" SET DEFAULT 0',
    ]


def test_names_made_from_the_longest_name_are_not_cut_off() -> None:
    unread = dict.fromkeys(("loaded_at", "created_at", "updated_at", "source_updated_at", "is_valid"), "text")
    facts = legacy(source_id="int4", data="text", **unread, input_position="int4", hash_digest="bpchar")
    for length in (32, 36, 63):
        assert plan_table(replace(facts, name="x" * length), SETTINGS).steps


def test_every_step_says_what_it_does() -> None:
    steps: list[Step] = list(plan_table(legacy(source_id="int4", data="text", etl_job_id="text"), SETTINGS).steps)
    assert all(step.what for step in steps)


@pytest.mark.parametrize("name", ["", "no spaces", "-a", "a" * 129])
def test_a_historical_id_that_the_ledger_cannot_hold_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="expected a historical run id"):
        MigrationSettings(historical_run_id=name)


def test_only_percent_is_a_wildcard() -> None:
    assert MigrationSettings(pattern=r"stg_%\x").like_pattern == r"stg\_%\\x"


def test_the_rows_of_a_report_add_up() -> None:
    report = TableReport("t", TableStatus.MIGRATED, rows_before=10, rows_kept=8, rows_archived=3, rows_quarantined=1)
    assert report.rows_written_meanwhile == 2
