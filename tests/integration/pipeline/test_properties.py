"""A store's TTL follows its entry although the source, and so the load, is unchanged."""

from __future__ import annotations

import pytest

from tests.integration.pipeline.conftest import Stores, load_of

pytestmark = pytest.mark.stack


@pytest.mark.slow
def test_an_unchanged_table_takes_its_entrys_ttl_and_codec(stores: Stores, capsys: pytest.CaptureFixture[str]) -> None:
    shop = stores.shop
    shop.source("CREATE TABLE visits (id int PRIMARY KEY, at timestamptz NOT NULL)")
    shop.source("INSERT INTO visits VALUES (1, '2020-01-01'), (2, now())")

    def configure(options: str) -> None:
        text = f"date_column: at, clickhouse: {{target_name: {shop.name}_visits, mode: merge{options}}}"
        stores.configure({"visits": text})

    def load() -> tuple[str, int, list[str]]:
        exit_code, report = shop.run(destinations="clickhouse")
        found = load_of(report, "visits", "clickhouse")
        assert exit_code == 0
        return found["status"], found["rows_skipped"], found["notes"]

    with_ttl = ", ttl: 'at + INTERVAL 1 YEAR', partition_by: toYYYYMM(at)"
    configure(with_ttl)
    assert load() == ("success", 1, [])
    assert load() == ("unchanged", 0, []), "nothing was read"

    # somebody alters the table behind our back: neither the source nor the entry is other than it was
    stores.clickhouse(f"ALTER TABLE {shop.name}_visits MODIFY TTL at + INTERVAL 9 YEAR")
    capsys.readouterr()
    assert shop.run("--dry-run", destinations="clickhouse")[0] == 0
    assert "MODIFY TTL at + toIntervalYear(1)" in capsys.readouterr().out
    status, skipped, [note] = load()
    assert (status, skipped) == ("unchanged", 1)
    assert note.startswith("the TTL is at + toIntervalYear(1) from now on")
    assert load() == ("unchanged", 0, [])

    configure(with_ttl + ", codec: ZSTD")
    status, _, [note] = load()
    assert (status, note.split(" from")[0]) == ("unchanged", "CODEC(ZSTD(1)) in 3 columns")
    assert load() == ("unchanged", 0, [])
