"""Masked columns on their whole way: the same in every store, joined as before, and in clear nowhere else."""

from __future__ import annotations

import hmac
from datetime import date
from decimal import Decimal

import pytest
from typer.testing import CliRunner

from etl.pipeline.job import main
from etl.rejects.__main__ import app
from tests.integration.pipeline.conftest import STORES, Shop, Stores, counted, everywhere, load_of, status_of

pytestmark = pytest.mark.stack

KEY, OTHER_KEY = "one key of masks, of 40 characters......", "another key of masks, as long as that...."
PERSON = "{tokenise: {domain: person}}"
CLEAR = ("jane", "4111", "1984", "secret note")
PEOPLE = (
    "CREATE TABLE person (id bigint PRIMARY KEY, mail text NOT NULL UNIQUE, card text, born date, seen timestamptz,"
    " income numeric(12,2), note text);"
    "CREATE TABLE purchase (id int PRIMARY KEY, person bigint NOT NULL REFERENCES person);"
    "INSERT INTO person VALUES (42, 'jane@example.org', '4111111111111111', '1984-05-17', '1984-05-17 10:00+00',"
    " 51234.56, 'secret note');"
    "INSERT INTO purchase VALUES (1, 42), (2, 42)"
)
MASKS = (
    f"id: {PERSON}, mail: hmac, card: {{partial: {{last: 4}}}}, born: {{truncate: year}}, seen: {{truncate: month}}, "
    "income: {truncate: 1000}, note: {redact: null}"
)


def token(value: object, key: str = KEY) -> str:
    own = hmac.digest(key.encode(), b"tokenise:person", "sha256")
    return f"tok_{hmac.digest(own, str(value).encode(), 'sha256').hex()[:32]}"


def keyed(value: str, key: str = KEY) -> str:
    return hmac.digest(key.encode(), value.encode(), "sha256").hex()


def in_the_ledger(shop: Shop) -> str:
    """Every row of every table of it, as text."""
    tables = shop.target("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'etl'")
    return "\n".join(str(row) for (table,) in tables for row in shop.target(f"SELECT t::text FROM {table} AS t"))


def test_masked_columns_are_the_same_in_every_store_and_joins_survive(stores: Stores) -> None:
    shop = stores.shop
    shop.environ["ETL_MASK_KEY"] = KEY
    shop.source(PEOPLE)
    stores.configure(
        {"person": f"transform: {{mask: {{{MASKS}}}}}", "purchase": f"transform: {{mask: {{person: {PERSON}}}}}"}
    )
    exit_code, report = stores.run()
    assert exit_code == 0, report
    jane = (token(42), keyed("jane@example.org"), "************1111", date(1984, 1, 1), Decimal("51000.00"), None)
    found = stores.rows("person", "id, mail, card, born, income, note")
    assert found == everywhere([jane]) | {"clickhouse": [(*jane[:3], "1984-01-01", 51000, None)]}
    assert stores.rows("purchase", "id, person") == everywhere([(1, token(42)), (2, token(42))])
    types = "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'person' ORDER BY 1"
    assert dict(shop.target(types)) == {
        "id": "text",
        "mail": "text",
        "card": "text",
        "born": "date",
        "seen": "timestamp with time zone",
        "income": "numeric",
        "note": "text",
    }
    links = "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid = 'purchase'::regclass"
    assert shop.target(links) == [(1,)]
    assert not [clear for clear in (*CLEAR, KEY) if clear in in_the_ledger(shop) + str(report)]

    assert set(status_of(stores.run()[1]).values()) == {"unchanged"}
    shop.source("UPDATE person SET income = 51999 WHERE id = 42; INSERT INTO purchase VALUES (3, 42)")
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert counted(report, "person", "rows_unchanged") == dict.fromkeys(STORES, 1), "the same step, the same row"
    assert counted(report, "purchase", "rows_inserted") == dict.fromkeys(STORES, 1)


def test_many_rows_are_masked_as_few_are(stores: Stores) -> None:
    """More than the driver takes: Spark reads them in parallel, and its executors have the key as well."""
    shop = stores.shop
    shop.environ["ETL_MASK_KEY"] = KEY
    times = "updated_at timestamptz NOT NULL DEFAULT '2026-01-02', created_at timestamptz NOT NULL DEFAULT '2026-01-01'"
    shop.source(f"CREATE TABLE many (id int PRIMARY KEY, card text, {times})")
    shop.source("INSERT INTO many SELECT g, lpad(g::text, 8, '0') FROM generate_series(1, 10100) AS g")
    stores.configure({"many": f"kind: snapshot, transform: {{mask: {{id: {PERSON}, card: {{partial: {{last: 2}}}}}}}}"})
    exit_code, report = stores.run()
    assert exit_code == 0, report
    masked = sorted((token(g), f"******{g % 100:02}") for g in range(1, 10_101))
    assert stores.rows("many", "id, card", "delta") == everywhere(masked)
    shop.source("UPDATE many SET card = '99999999', updated_at = '2026-01-03' WHERE id = 7")
    exit_code, report = stores.run()
    assert exit_code == 0, report
    assert counted(report, "many", "rows_updated") == dict.fromkeys(STORES, 1)
    masked = sorted((one, "******99" if one == token(7) else card) for one, card in masked)
    assert stores.rows("many", "id, card", "delta") == everywhere(masked)


def test_with_another_key_tables_are_loaded_again(shop: Shop) -> None:
    shop.source(PEOPLE)
    shop.tables(f"tables:\n  person: {{transform: {{mask: {{id: {PERSON}}}}}}}\n")
    for key in (KEY, OTHER_KEY):
        shop.environ["ETL_MASK_KEY"] = key
        exit_code, report = shop.run("--maximum-deleted", "100%", destinations="postgresql")
        assert (exit_code, load_of(report, "person", "postgresql")["status"]) == (0, "success"), report
        assert shop.target("SELECT id FROM person") == [(token(42, key),)]


def test_sides_of_a_foreign_key_that_are_masked_unlike_are_refused(shop: Shop) -> None:
    """Only the live source knows of the key: its table fails before anything is written, the parent is loaded."""
    shop.environ["ETL_MASK_KEY"] = KEY
    shop.source(PEOPLE)
    shop.tables(f"tables:\n  person: {{transform: {{mask: {{id: {PERSON}}}}}}}\n  purchase: {{}}\n")
    exit_code, report = shop.run(destinations="postgresql")
    assert (exit_code, load_of(report, "person", "postgresql")["status"]) == (1, "success")
    assert (
        "person refers to id of person, and no value would be found there: person is as it is, id is tokenised in the "
        "domain person; make both alike"
    ) in load_of(report, "purchase", "postgresql")["error"]


def test_without_a_key_nothing_is_touched(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    shop.tables(f"tables:\n  person: {{transform: {{mask: {{id: {PERSON}}}}}}}\n")
    assert shop.run(destinations="postgresql") == (2, {})
    assert "transform.mask.id: tokenise needs a key, which comes from the environment; set ETL_MASK_KEY" in (
        capsys.readouterr().err
    )


def test_rows_that_are_left_out_show_no_value_and_are_masked_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """One breaks a rule, before the masks; one has no parent, and waits; both are loaded later."""
    shop.environ["ETL_MASK_KEY"] = KEY
    for name, value in shop.environ.items():
        monkeypatch.setenv(name, value)
    for name in ("ETL_CLICKHOUSE_URL", "ETL_S3_ENDPOINT", "ETL_S3_BUCKET"):
        monkeypatch.delenv(name)
    shop.source(PEOPLE)
    purchase = f"  purchase: {{transform: {{mask: {{person: {PERSON}}}}}}}\n"
    rule = "rules: {rich: income > %s}"
    tables = f"tables:\n  person: {{transform: {{{rule}, mask: {{{MASKS}}}}}, maximum_rejected: 100%%}}\n{purchase}"
    shop.tables(tables % 100_000)
    exit_code, report = shop.run(destinations="postgresql")
    assert exit_code == 0, report
    assert shop.target("SELECT count(*) FROM person") == shop.target("SELECT count(*) FROM purchase") == [(0,)]
    left_out = shop.target("SELECT rule, status, row->>'id', row->>'person' FROM etl.rejects ORDER BY 1, 4")
    assert ("rule:rich", "rejected", token(42), None) in left_out
    assert [person for *_, person in left_out if person] == [token(42)] * 2
    told = in_the_ledger(shop) + str(report)

    def rejects(*arguments: str) -> str:
        result = CliRunner().invoke(app, [*arguments, "--config-dir", str(shop.folder)])
        return result.output

    ids = [str(each) for (each,) in shop.target("SELECT reject_id FROM etl.rejects")]
    told += rejects("list") + rejects("list", "--json") + "".join(rejects("show", each) for each in ids)
    assert token(42) in told
    assert not [clear for clear in CLEAR if clear in told]

    shop.tables(tables % 0)
    assert "1 loaded; 0 are rejected again" in rejects("retry", "--rule", "rule:rich")
    told = rejects("retry", "--table", "purchase")
    assert "2 of 2 waiting rows" in told or "no rows are waiting" in told, told
    assert shop.target("SELECT id, card FROM person") == [(token(42), "************1111")]
    assert shop.target("SELECT person FROM purchase") == [(token(42),)] * 2
    assert not [clear for clear in CLEAR if clear in in_the_ledger(shop)]


def test_a_failed_expression_says_no_value(shop: Shop, capfd: pytest.CaptureFixture[str]) -> None:
    shop.environ["ETL_MASK_KEY"] = KEY
    shop.source(PEOPLE)
    shop.tables("tables:\n  person: {transform: {rules: {number: CAST(mail AS int) > 0}, mask: {mail: hmac}}}\n")
    exit_code, report = shop.run(destinations="postgresql")
    assert exit_code == 1
    error = load_of(report, "person", "postgresql")["error"]
    assert error.startswith("person: an expression of `transform` has no result for the value of some row")
    assert main(["--config-dir", str(shop.folder)], shop.environ) == 1, "a rehearsal"
    said = capfd.readouterr()
    assert f"would fail: {error}" in said.out
    assert "jane" not in in_the_ledger(shop) + str(report) + said.out + said.err
