from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from etl.config.__main__ import app
from etl.config.destinations.registry import BUILT_IN
from tests.unit.config.conftest import Folder

GOOD = "tables:\n  orders: {kind: snapshot, key: order_id, date_column: order_date}\n"


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", "ETL_POSTGRES_URL": "", **environ})


def test_check_of_a_good_folder(folder: Folder) -> None:
    folder.tables(GOOD)
    result = run("check", "--config-dir", str(folder.path), ETL_POSTGRES_URL="postgresql://u:hunter2@h/d")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"{folder.path}: 1 table in 1 domain, no fault\nservers configured: ledger, ")
    assert "postgresql" in result.stdout
    assert "hunter2" not in result.output


def test_check_says_every_fault_and_exits_with_2(folder: Folder) -> None:
    folder.tables(GOOD + "  customers: {kind: refrence}\n  nobody: {kind: reference}\n")
    result = run("check", "--config-dir", str(folder.path))
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.replace(f"{folder.path}/", "").splitlines() == [
        "2 faults in the configuration:",
        "  tables/shop.yaml:3: unknown kind 'refrence'; did you mean 'reference'?",
        "  tables/shop.yaml:4: source_schema has no table 'nobody' in schema 'public'; valid: customers, orders "
        "A table of another source needs `source: {columns: …}`",
    ]


def test_check_of_the_product_s_own_folder() -> None:
    assert run("check").exit_code == 0


def test_show_as_json_is_the_effective_configuration(folder: Folder) -> None:
    folder.tables(GOOD)
    result = run("show", "orders", "--json", "--config-dir", str(folder.path))
    assert result.exit_code == 0
    shown = json.loads(result.stdout)
    assert {key: shown[key] for key in ("name", "domain", "kind", "key", "date_column")} == {
        "name": "orders",
        "domain": "shop",
        "kind": "snapshot",
        "key": ["order_id"],
        "date_column": "order_date",
    }
    assert shown["extract"] == {
        "mode": "incremental",
        "watermark": "updated_at",
        "overlap_seconds": 600,
        "late_commits": "overlap",
        "partitions": None,
    }
    assert list(shown["loads"]) == [spec.name for spec in BUILT_IN]
    assert shown["loads"]["clickhouse"]["partition_by"] == ["toYYYYMM(order_date)"]
    assert shown["columns"]["amount"] == "numeric(12,2)"


def test_show_for_people(folder: Folder) -> None:
    folder.tables(GOOD)
    result = run("show", "orders", "--config-dir", str(folder.path))
    assert result.exit_code == 0
    for shown in ("orders", "snapshot", "updated_at", "shop/orders", "ReplacingMergeTree", "numeric(12,2)"):
        assert shown in result.stdout


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_show_never_prints_a_secret(folder: Folder, form: list[str]) -> None:
    folder.tables(
        """\
        tables:
          files:
            kind: reference
            key: id
            source: {type: file, format: parquet, path: "s3a://user:${PASSWORD}@bucket/in"}
            transform: {transformer: Some, options: {api_key: "${PASSWORD}", nested: {password: "${PASSWORD}"}}}
        """
    )
    result = run("show", "files", "--config-dir", str(folder.path), *form, PASSWORD="hunter2")
    assert result.exit_code == 0
    assert "bucket/in" in result.stdout
    assert "hunter2" not in result.output


def test_show_of_an_unknown_table(folder: Folder) -> None:
    folder.tables(GOOD)
    result = run("show", "ordres", "--config-dir", str(folder.path))
    assert (result.exit_code, result.stderr) == (2, "unknown table 'ordres'; did you mean 'orders'?\n")


def test_bad_use_exits_with_2() -> None:
    assert run("shwo").exit_code == 2
    assert run("show").exit_code == 2


def test_what_is_said_of_a_key_is_said_whole(folder: Folder) -> None:
    """What stands behind a key's name looks like a secret."""
    folder.tables(GOOD)
    folder.write(
        "etl.yaml", "source_schema: schema.sql\nclickhouse: {password: hunter2, host: h, database: d, user: u}\n"
    )
    result = run("check", "--config-dir", str(folder.path))
    assert result.exit_code == 2
    assert "clickhouse.password: secrets come from the environment; write ${NAME}" in result.stderr
    assert "hunter2" not in result.output


def test_numbers_of_any_length_are_shown(folder: Folder) -> None:
    number = 10**30 + 7
    folder.tables(GOOD.replace("}\n", f", transform: {{default: {{amount: {number}}}}}}}\n"))
    result = run("show", "orders", "--json", "--config-dir", str(folder.path))
    assert json.loads(result.stdout)["transform"]["default"] == {"amount": number}


@pytest.mark.parametrize(
    ("arguments", "closed", "code"), [("show nobody", "2>&-", 2), ("show orders --json", ">&-", 0), ("check", ">&-", 0)]
)
def test_a_closed_output_does_not_change_the_exit_code(folder: Folder, arguments: str, closed: str, code: int) -> None:
    folder.tables(GOOD)
    command = f'"$0" -m etl.config {arguments} --config-dir "$1" {closed}'
    ended = subprocess.run(["sh", "-c", command, sys.executable, str(folder.path)], check=False)
    assert ended.returncode == code
