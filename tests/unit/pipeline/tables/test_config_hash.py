"""The configuration's hash: another one where rows may look different, and the same from one version to the next."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.load_config import TableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.models import ExtractConfig, LateCommits, TransformConfig
from etl.model import ColumnDefinition, ExtractMode, TableDefinition, VanishedRows, WriteMode
from etl.pipeline.context import Work
from etl.pipeline.tables.shares import config_hash
from tests.unit.transform.conftest import postgresql_table

COMMON: dict[str, Any] = {"table_name": "t", "key": ("id",)}
DEFINITION = TableDefinition("t", (ColumnDefinition("id", "bigint", nullable=False), ColumnDefinition("v", "text")))
ENTRIES: dict[str, TableLoadConfig] = {
    "postgresql": PostgreSQLTableLoadConfig(**COMMON, target_name="t", mode=WriteMode.UPSERT),
    "clickhouse": ClickHouseTableLoadConfig(**COMMON, target_name="t", mode=WriteMode.MERGE),
    "s3": S3TableLoadConfig(**COMMON, mode=WriteMode.MERGE, path="t"),
}
KNOWN = {
    "postgresql": "c6915e069064157c63e5b07a3accde7fb3208b8dde4d4221f5c98df5987aebbb",
    "clickhouse": "29aa43ae389d6448f4222a67336f1ed358392c5588ffc8d3af732a0e72b109ef",
    "s3": "d80a992a24e7dcd3fa8d6de80dd2ce3167f4e58431c2beb7ef10c5ab1a1def78",
}
"""As they were when `later_fields` came. A new field that changes one would have every user's tables read again, with
a warning: it belongs among its model's `later_fields`."""
KNOWN_MASKED = {
    "postgresql": "955ff838da2157a07d2203c4c3c075a9faf96560d49851f39c6154e67225f588",
    "clickhouse": "3bbddb916cc236297cee7e3f7e65e3bf2744273bfb765d20e3964224334ba7b7",
    "s3": "878b515390fdd5b4a16dd2a5efa8fd2f674ceafbe67cc0068f6bf2acc3871a38",
}
"""Of an entry with a mask, as they were when masks were words alone."""


def hash_of(entry: TableLoadConfig, **transform: Any) -> str:
    table = postgresql_table().model_copy(update={"transform": TransformConfig(**transform)})
    return config_hash(Work(table, ()), entry, DEFINITION, "salt")


@pytest.mark.parametrize("store", list(ENTRIES))
def test_it_is_what_it_was_in_the_version_before(store: str) -> None:
    assert hash_of(ENTRIES[store]) == KNOWN[store]


@pytest.mark.parametrize("store", list(ENTRIES))
def test_what_changes_rows_changes_it(store: str) -> None:
    entry = ENTRIES[store]
    plain = hash_of(entry)
    assert hash_of(entry, hash=("v",)) != plain
    assert hash_of(entry, deleted_when="v IS NULL") != plain
    assert hash_of(entry.model_copy(update={"vanished_rows": VanishedRows.MARK})) != plain
    assert hash_of(entry.model_copy(update={"key": ("id", "v")})) != plain
    table = postgresql_table()
    wider = replace(DEFINITION, columns=(*DEFINITION.columns, ColumnDefinition("w", "text")))
    assert config_hash(Work(table, ()), entry, wider, "salt") != plain
    assert config_hash(Work(table, ()), entry, DEFINITION, "another") != plain


def test_what_a_store_cannot_hold_is_also_of_the_others_whether_it_goes_to_them() -> None:
    def hashes(word: Any) -> dict[str, str]:
        entry = ClickHouseTableLoadConfig(**COMMON, target_name="t", mode=WriteMode.MERGE, out_of_range=word)
        loads = {load.destination: load for load in [*ENTRIES.values(), entry]}
        table = postgresql_table(loads=loads)
        return {str(name): config_hash(Work(table, ()), load, DEFINITION, "salt") for name, load in loads.items()}

    plain, there, null = (hashes(word) for word in ("reject_everywhere", "reject_there", {"v": "set_null"}))
    assert plain == KNOWN
    assert len({plain["s3"], there["s3"], null["s3"]}) == 3
    assert len({plain["clickhouse"], there["clickhouse"], null["clickhouse"]}) == 3
    assert hashes("clamp")["s3"] == there["s3"] and hashes({"v": "clamp"})["s3"] == null["s3"]


@pytest.mark.parametrize("store", list(ENTRIES))
def test_masks_are_hashed_as_they_were_when_they_were_words(store: str) -> None:
    transform = TransformConfig(mask={"v": "email"})
    assert transform.said()["mask"] == {"v": "email"}
    work = Work(postgresql_table().model_copy(update={"transform": transform}), ())
    entry = ENTRIES[store]
    assert config_hash(work, entry, DEFINITION, "salt") == KNOWN_MASKED[store]
    assert config_hash(work, entry, DEFINITION, "salt", "a key") == KNOWN_MASKED[store]


@pytest.mark.parametrize("store", list(ENTRIES))
@pytest.mark.parametrize("mask", ["hmac", "tokenise", {"tokenise": {"domain": "person"}}])
def test_another_key_changes_what_is_made_by_it(store: str, mask: Any) -> None:
    work = Work(postgresql_table(transform={"mask": {"v": mask}}), ())
    first, second = (config_hash(work, ENTRIES[store], DEFINITION, "salt", key) for key in ("one", "two"))
    assert first != second


@pytest.mark.parametrize("store", list(ENTRIES))
def test_other_parameters_of_a_mask_change_it(store: str) -> None:
    masks: list[Any] = ["all", "redact", {"redact": None}, {"redact": "x"}, {"truncate": 1}, {"truncate": 2}]
    masks += [{"partial": {"last": 4}}, {"partial": {"last": 4, "fill": "#"}}, {"tokenise": {"domain": "a"}}]
    assert len({hash_of(ENTRIES[store], mask={"v": mask}) for mask in masks}) == len(masks)


@pytest.mark.parametrize("store", list(ENTRIES))
def test_what_changes_no_row_leaves_it(store: str) -> None:
    entry = ENTRIES[store]
    assert hash_of(entry.model_copy(update={"maximum_rejected": "5%"})) == hash_of(entry)
    followed = ExtractConfig(mode=ExtractMode.INCREMENTAL, watermark="at", late_commits=LateCommits.EXACT)
    table = postgresql_table().model_copy(update={"extract": followed})
    assert config_hash(Work(table, ()), entry, DEFINITION, "salt") == hash_of(entry)
    assert hash_of(entry.model_copy(update={"deleted_rows": VanishedRows.MARK})) == hash_of(entry)
