"""Dirt: what it names exists, what it counts is there, and what the source forbids stays clean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pytest

from etl.model import TableDefinition
from etl.sample.dirty import SOILS, Dirt, Fault
from etl.sample.rows import World
from etl.sample.tables import BUILDERS_BY_DOMAIN

BUILDERS = {table: build for builders in BUILDERS_BY_DOMAIN.values() for table, build in builders.items()}


@pytest.fixture(scope="module")
def soiled(sample_world: World) -> tuple[dict[str, pa.Table], dict[str, pa.Table], Dirt]:
    dirt = Dirt(0.2)
    clean, dirty = {}, {}
    for table in SOILS:
        rows = sample_world.rows(table, np.arange(sample_world.total(table)))
        columns = BUILDERS[table](rows)
        clean[table], dirty[table] = pa.table(columns), pa.table(dirt.soil(rows, columns))
    return clean, dirty, dirt


def test_only_columns_without_a_constraint_are_soiled(sample_definitions: Mapping[str, TableDefinition]) -> None:
    for table, soil in SOILS.items():
        definition = sample_definitions[table]
        names = {*soil.spaces, *soil.controls, *soil.cases, *soil.dates, *soil.orphans, *soil.duplicates}
        assert names <= set(definition.column_names)
        assert not names & {"created_at", "updated_at", *definition.primary_key}
        assert not {(name,) for name in names} & set(definition.unique_keys)
        referring = {name for key in definition.foreign_keys for name in key.columns}
        assert not referring & set(soil.orphans)


def test_the_count_of_each_fault_is_what_changed(
    soiled: tuple[dict[str, pa.Table], dict[str, pa.Table], Dirt],
) -> None:
    clean, dirty, dirt = soiled
    for (table, column, fault), count in dirt.counts.items():
        if fault in (Fault.ORPHANS, Fault.ABSURD_DATES, Fault.CONTROL_CHARACTERS) and not SOILS[table].duplicates:
            pairs = zip(clean[table][column].to_pylist(), dirty[table][column].to_pylist(), strict=True)
            assert sum(before != after for before, after in pairs) == count


def test_each_kind_of_fault_can_be_found(soiled: tuple[dict[str, pa.Table], dict[str, pa.Table], Dirt]) -> None:
    _, dirty, dirt = soiled
    assert {fault for _, _, fault in dirt.counts} == set(Fault)
    spaced = [text for text in dirty["users"]["display_name"].to_pylist() if text and text != text.strip()]
    assert len(spaced) == dirt.counts["users", "display_name", Fault.STRAY_SPACES]
    orphans = [user for user in dirty["ml_model_predictions"]["user_id"].to_pylist() if user and user > 10**9]
    assert len(orphans) == dirt.counts["ml_model_predictions", "user_id", Fault.ORPHANS]
    births = {day.year for day in dirty["users"]["birth_date"].to_pylist() if day}
    assert {1, 9999} <= births


def test_business_keys_repeat_as_often_as_it_says(
    soiled: tuple[dict[str, pa.Table], dict[str, pa.Table], Dirt],
) -> None:
    clean, dirty, dirt = soiled
    for table, column in (
        ("user_accounts", "user_id, brand_id, account_type"),
        ("compliance_user_consent", "user_id, brand_id, consent_type, policy_version"),
        ("editorial_media_assets", "file_name, checksum"),
    ):
        assert max(_keys(clean[table], column).values()) == 1
        repeated = sum(count - 1 for count in _keys(dirty[table], column).values())
        assert repeated == dirt.counts[table, column, Fault.DUPLICATE_KEYS] > 0


def test_no_dirt_is_no_change(sample_world: World) -> None:
    dirt = Dirt(0.0)
    rows = sample_world.rows("users", np.arange(50))
    columns = BUILDERS["users"](rows)
    assert dirt.soil(rows, columns) is columns
    assert not dirt.counts


def _keys(rows: pa.Table, columns: str) -> Counter[tuple[object, ...]]:
    return Counter(zip(*(rows[name].to_pylist() for name in columns.split(", ")), strict=True))
