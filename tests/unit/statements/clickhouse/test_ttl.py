import pytest

from etl.statements.clickhouse.ttl import count_expired, delete_expired, expired, modify_ttl


@pytest.mark.parametrize(
    ("ttl", "condition"),
    [
        ("", ""),
        ("d + toIntervalDay(1)", "ifNull((d + toIntervalDay(1)) <= now(), false)"),
        ("d + INTERVAL 1 DAY delete", "ifNull((d + INTERVAL 1 DAY) <= now(), false)"),
        ("d WHERE k = ' TO DISK, GROUP BY '", "ifNull((d) <= now() AND (k = ' TO DISK, GROUP BY '), false)"),
        ("d TO DISK 'cold', e RECOMPRESS CODEC(ZSTD(5))", ""),
        ("d TO VOLUME 'cold', f(e, 'UTC') DELETE WHERE k IN (1, 2), g", (
            "ifNull((f(e, 'UTC')) <= now() AND (k IN (1, 2)), false) OR ifNull((g) <= now(), false)"
        )),
        ("`to disk` + 1", "ifNull((`to disk` + 1) <= now(), false)"),
        ("d GROUP BY id SET v = max(v)", None),
    ],
)  # fmt: skip
def test_rows_past_a_ttl(ttl: str, condition: str | None) -> None:
    assert expired(ttl) == condition


def test_statements_about_a_ttl() -> None:
    assert modify_ttl("db", "t", "d + 1") == "ALTER TABLE `db`.`t` MODIFY TTL d + 1"
    assert modify_ttl("db", "t", "") == "ALTER TABLE `db`.`t` REMOVE TTL"
    assert delete_expired("db", "s", "x") == "DELETE FROM `db`.`s` WHERE x"
    assert count_expired("db", "s", "x", final=True, where="k = 1") == (
        "SELECT countIf(x) FROM `db`.`s` FINAL WHERE k = 1"
    )
