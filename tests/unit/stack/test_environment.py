from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from etl.stack.credentials import new_credentials
from etl.stack.environment import GROUPS, export_lines, missing_groups, variables
from etl.stack.ports import FIRST_PORTS

OWN = new_credentials()
ALL = list(GROUPS)


def test_all_seven_are_named() -> None:
    values = variables({**FIRST_PORTS, "postgresql": 1, "clickhouse": 2, "s3": 3}, OWN)
    assert values == {
        "ETL_POSTGRES_URL": f"postgresql://ownlens:{OWN.postgresql}@127.0.0.1:1/warehouse",
        "ETL_SOURCE_POSTGRES_URL": f"postgresql://ownlens:{OWN.postgresql}@127.0.0.1:1/source",
        "ETL_CLICKHOUSE_URL": f"http://ownlens:{OWN.clickhouse}@127.0.0.1:2/ownlens",
        "ETL_S3_ENDPOINT": "http://127.0.0.1:3",
        "ETL_S3_BUCKET": "ownlens-lake",
        "AWS_ACCESS_KEY_ID": OWN.s3_access_key,
        "AWS_SECRET_ACCESS_KEY": OWN.s3_secret_key,
    }


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, ALL),
        ({"ETL_POSTGRES_URL": ""}, ALL),
        ({"ETL_POSTGRES_URL": "postgresql://me:x@there/db"}, ["source", "clickhouse", "s3"]),
        ({"ETL_SOURCE_POSTGRES_URL": "postgresql://me:x@there/db"}, ["warehouse", "clickhouse", "s3"]),
        ({"ETL_CLICKHOUSE_URL": "https://me:x@there/db"}, ["source", "warehouse", "s3"]),
        # A bucket without an endpoint is one of AWS itself.
        ({"ETL_S3_BUCKET": "mine"}, ["source", "warehouse", "clickhouse"]),
        # Keys alone, as many a shell has them, say nothing of a bucket.
        ({"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}, ALL),
    ],
)
def test_only_what_the_user_left_open_is_missing(tmp_path: Path, environ: dict[str, str], missing: list[str]) -> None:
    assert missing_groups(environ, tmp_path, OWN) == missing
    assert missing_groups(environ, tmp_path, None) == missing


def test_what_an_earlier_env_printed_is_not_the_users_own(tmp_path: Path) -> None:
    exported = variables({**FIRST_PORTS, "postgresql": 1, "clickhouse": 2, "s3": 3}, OWN)
    assert missing_groups(exported, tmp_path, OWN) == ALL
    assert missing_groups(exported, tmp_path, new_credentials()) == []


def test_servers_of_the_configuration_file_count(tmp_path: Path) -> None:
    (tmp_path / "etl.yaml").write_text("clickhouse:\n  url: ${NOT_SET_ANYWHERE}\ns3:\npostgresql: {host: there}\n")
    assert missing_groups({}, tmp_path, OWN) == ["source", "s3"]


def test_a_shell_reads_the_lines_as_they_are_meant() -> None:
    values = {"A": 'it\'s $HOME `x` "y"', "B": "plain", "C": ""}
    lines = export_lines(values)
    assert lines.startswith("export A='")
    assert "export B='plain'\n" in lines
    printed = subprocess.run(
        ["sh", "-c", 'eval "$1"; printf "%s|%s|%s" "$A" "$B" "$C"', "sh", lines], capture_output=True, text=True
    )
    assert printed.stdout == f"{values['A']}|plain|"
