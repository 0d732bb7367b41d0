"""TTL and codec of a target that stands: they follow the entry, and what a TTL takes is neither missed nor vanished."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta

import pytest

from etl.clickhouse.door import ClickHouseDoor
from etl.errors import StoreError
from etl.load.clickhouse.publish import Publication
from etl.load.clickhouse.target import describe
from etl.model import LoadStatus, VanishedRows
from tests.integration.load.clickhouse.conftest import ClickHouse, FrameOf, LoaderOf, entry

pytestmark = pytest.mark.stack

BY_DAY = {"partition_by": ("toYYYYMM(day)",)}
OLD, NEW = ("1", date(1980, 1, 1), "old", None), ("2", date(2025, 1, 1), "new", None)
THIRTY_YEARS = "toDateTime(day) + INTERVAL 30 YEAR"


def ttl_of(clickhouse: ClickHouse, table: str) -> str:
    [[full]] = clickhouse.query(
        f"SELECT engine_full FROM system.tables WHERE database = currentDatabase() AND name = '{table}'"
    )
    return str(full).partition(" TTL ")[2].partition(" SETTINGS")[0]


def codecs_of(clickhouse: ClickHouse, table: str) -> dict[str, str]:
    rows = clickhouse.query(
        f"SELECT name, compression_codec FROM system.columns WHERE database = currentDatabase() AND table = '{table}'"
    )
    return dict(rows)


def test_a_ttl_comes_changes_and_goes_with_its_entry(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    plain, short = entry(table, **BY_DAY), entry(table, ttl=THIRTY_YEARS, **BY_DAY)
    spelt = entry(table, ttl="toDateTime(day)+interval 30 year  DELETE", **BY_DAY)
    frame = frame_of(OLD, NEW)
    loader_of(1).load(frame, plain)
    assert not loader_of(2).follows_entry(short)

    assert loader_of(2).plan(frame, short)[:2] == [
        f"ALTER TABLE `{clickhouse.settings.database}`.`{table}` MODIFY TTL toDateTime(day) + toIntervalYear(30)",
        "the TTL is toDateTime(day) + toIntervalYear(30) from now on: what is past it goes (1 stored rows)",
    ]
    assert len(clickhouse.rows(table)) == 2
    result = loader_of(2).load(frame, short)
    assert (result.status, result.rows_skipped, result.rows_unchanged) == (LoadStatus.UNCHANGED, 1, 1)
    assert any("what is past it goes (1 stored rows)" in note for note in result.notes)
    assert [row[2] for row in clickhouse.rows(table)] == ["new"]

    for config in (short, spelt):
        assert loader_of(3).follows_entry(config)
        again = loader_of(3).load(frame, config)
        assert (again.status, again.rows_skipped, again.notes) == (LoadStatus.UNCHANGED, 1, ())
    assert ttl_of(clickhouse, table) == "toDateTime(day) + toIntervalYear(30)"

    assert loader_of(4).plan(frame, plain)[0].endswith("REMOVE TTL")
    back = loader_of(4).load(frame, plain)
    assert (back.rows_inserted, back.rows_unchanged, ttl_of(clickhouse, table)) == (1, 1, "")
    assert loader_of(5).load(frame, plain).notes == ()


def test_a_part_that_the_server_takes_away_for_being_empty_is_nobodys_writing(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    def state() -> str:
        with ClickHouseDoor(clickhouse.settings) as door:
            found = describe(door, clickhouse.settings.database, table)
        assert found is not None
        return found.state

    loader = loader_of(1)
    loader.load(frame_of(OLD, NEW), entry(table, **BY_DAY))
    both = state()
    clickhouse.execute(f"ALTER TABLE `{table}` DELETE WHERE name = 'old' SETTINGS mutations_sync = 2")
    emptied = state()
    clickhouse.execute(f"ALTER TABLE `{table}` DROP PARTITION 198001")  # as the server does some time later
    assert (both == emptied, emptied == state()) == (False, True)
    clickhouse.execute(f"INSERT INTO `{table}` (id, day, name) VALUES ('3', '1980-01-02', 'old')")
    assert state() != emptied


def test_a_ttl_that_nobody_asked_us_for_stays_and_is_told(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    config, frame = entry(table, **BY_DAY), frame_of(NEW)
    loader_of(1).load(frame, config)
    clickhouse.execute(f"ALTER TABLE `{table}` MODIFY TTL toDateTime(day) + INTERVAL 70 YEAR")
    result = loader_of(2).load(frame, config)
    assert (len(result.notes), loader_of(3).follows_entry(config)) == (1, True)
    assert "no load has set: toDateTime(day) + toIntervalYear(70). It stays" in result.notes[0]
    assert ttl_of(clickhouse, table) == "toDateTime(day) + toIntervalYear(70)"

    theirs = entry(table, ttl="toDateTime(day) + INTERVAL 60 YEAR", **BY_DAY)
    assert loader_of(3).load(frame, theirs).status is LoadStatus.UNCHANGED
    assert ttl_of(clickhouse, table) == "toDateTime(day) + toIntervalYear(60)"


def test_a_ttl_that_the_server_refuses_fails_the_load_and_changes_nothing(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    loader_of(1).load(frame_of(NEW), entry(table, **BY_DAY))
    with pytest.raises(StoreError, match="name"):
        loader_of(2).load(frame_of(OLD, NEW), entry(table, ttl="name + INTERVAL 1 DAY", **BY_DAY))
    assert (clickhouse.rows(table), clickhouse.staging_of(table)) == ([["2", "2025-01-01", "new", None]], [])


def test_a_codec_follows_but_for_columns_that_somebody_has_tuned(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    lz4, zstd = entry(table, **BY_DAY), entry(table, codec="ZSTD", **BY_DAY)
    loader_of(1).load(frame_of(NEW), lz4)
    clickhouse.execute(f"ALTER TABLE `{table}` MODIFY COLUMN amount CODEC(Delta, ZSTD(3))")
    assert "MODIFY COLUMN `id` CODEC(ZSTD(1))" in loader_of(2).plan(frame_of(NEW), zstd)[0]
    result = loader_of(2).load(frame_of(OLD, NEW), zstd)
    assert (result.rows_inserted, result.rows_unchanged) == (1, 1)
    codecs = codecs_of(clickhouse, table)
    assert codecs.pop("amount") == "CODEC(Delta(8), ZSTD(3))"
    assert set(codecs.values()) == {"CODEC(ZSTD(1))"}
    assert loader_of(3).follows_entry(zstd)
    assert loader_of(3).load(frame_of(OLD, NEW), zstd).rows_unchanged == 2


def test_what_a_ttl_takes_has_not_vanished_from_the_source(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    """Three of four stored rows are past the new TTL: as vanished ones they would be too many."""
    options = {"mode": "replace_partition", "vanished_rows": VanishedRows.DELETE, "maximum_deleted": "50%"} | BY_DAY
    rows = [OLD, ("3", date(1981, 1, 1), "old", None), ("4", date(1982, 1, 1), "old", None), NEW]
    loader_of(1).load(frame_of(*rows), entry(table, **options))
    result = loader_of(2).load(frame_of(*rows), entry(table, ttl=THIRTY_YEARS, **options))
    assert (result.rows_skipped, result.rows_unchanged) == (3, 1)
    assert [row[2] for row in clickhouse.rows(table, final=True)] == ["new"]
    # all that is left of the source has expired
    last = loader_of(3).load(frame_of(*rows[:3]), entry(table, ttl=THIRTY_YEARS, **options | {"maximum_deleted": "1"}))
    assert (last.rows_skipped, last.rows_deleted, clickhouse.rows(table)) == (3, 1, [])


@pytest.mark.slow
@pytest.mark.parametrize("only", ["", " DELETE WHERE name != 'kept'"])
def test_a_row_that_expires_while_it_is_published_is_no_lost_row(
    clickhouse: ClickHouse,
    table: str,
    loader_of: LoaderOf,
    frame_of: FrameOf,
    monkeypatch: pytest.MonkeyPatch,
    only: str,
) -> None:
    config = entry(table, ttl=f"at + INTERVAL 1 DAY{only}", partition_by=("toYYYYMM(at)",))
    schema = "id string, at timestamp, name string"
    now = datetime.now(UTC)
    rows = [("1", now - timedelta(days=1) + timedelta(seconds=3), "soon"), ("2", now, "kept")]
    loader_of(1).load(frame_of(("2", now, "kept"), schema=schema), config)
    validate = Publication._validate

    def merged_first(self: Publication, in_scope: str, *, final: bool, without: str = "") -> None:
        while datetime.now(UTC) < now + timedelta(seconds=4):
            time.sleep(0.1)
        clickhouse.execute(f"OPTIMIZE TABLE `{self.job.names.new}` FINAL")
        assert [row[2] for row in clickhouse.rows(self.job.names.new)] == ["kept"]
        validate(self, in_scope, final=final, without=without)

    monkeypatch.setattr(Publication, "_validate", merged_first)
    result = loader_of(2).load(frame_of(*rows, schema=schema), config)
    assert (result.rows_inserted, result.rows_unchanged) == (1, 1)
    assert [row[2] for row in clickhouse.rows(table, final=True)] == ["kept"]


def test_rows_that_a_ttl_groups_are_compared_before_it_sees_them(
    clickhouse: ClickHouse, table: str, loader_of: LoaderOf, frame_of: FrameOf
) -> None:
    grouped = f"{THIRTY_YEARS} GROUP BY id SET name = max(name)"
    config = entry(table, engine="MergeTree", mode="append", ttl=grouped, **BY_DAY)
    for run, inserted in ((1, 2), (2, 0)):
        result = loader_of(run).load(frame_of(OLD, NEW), config)
        assert (result.rows_inserted, result.rows_skipped) == (inserted, 0)
