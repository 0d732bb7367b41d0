from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from etl.stack.credentials import new_credentials
from etl.stack.environment import GROUPS, OwnServers, export_lines, missing_groups, needed_servers, variables
from etl.stack.ports import FIRST_PORTS

OWN = new_credentials()
PORTS = {**FIRST_PORTS, "postgresql": 1, "clickhouse": 2, "s3": 3}
SERVERS = OwnServers(OWN, PORTS, {"postgresql": [11, 12], "s3": [13]})
ALL = list(GROUPS)


def test_all_seven_are_named() -> None:
    values = variables(PORTS, OWN)
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
    assert missing_groups(environ, tmp_path, SERVERS) == missing
    assert missing_groups(environ, tmp_path, None) == missing


def test_what_an_earlier_env_printed_is_not_the_users_own(tmp_path: Path) -> None:
    others = OwnServers(new_credentials(), PORTS, {})
    for ports in (PORTS, {**PORTS, "postgresql": 11}, {**PORTS, "postgresql": 12}, {**PORTS, "s3": 13}):
        exported = variables(ports, OWN)
        assert missing_groups(exported, tmp_path, SERVERS) == ALL
        assert missing_groups(exported, tmp_path, others) == []
        assert needed_servers(exported, tmp_path, others) == []


@pytest.mark.parametrize(
    ("name", "written", "wanted", "group"),
    [
        ("ETL_POSTGRES_URL", "/warehouse", "/archive", "warehouse"),
        ("ETL_POSTGRES_URL", ":1/", ":6432/", "warehouse"),
        ("ETL_POSTGRES_URL", "127.0.0.1", "localhost", "warehouse"),
        ("ETL_POSTGRES_URL", "/warehouse", "/warehouse?sslmode=disable", "warehouse"),
        ("ETL_SOURCE_POSTGRES_URL", "/source", "/copy_of_source", "source"),
        ("ETL_SOURCE_POSTGRES_URL", "ownlens:", "reader:", "source"),
        ("ETL_CLICKHOUSE_URL", "/ownlens", "/another", "clickhouse"),
        ("ETL_CLICKHOUSE_URL", ":2/", ":9999/", "clickhouse"),
        ("ETL_S3_BUCKET", "ownlens-lake", "another-bucket", "s3"),
        ("ETL_S3_ENDPOINT", ":3", ":9999", "s3"),
    ],
)
def test_what_the_user_changed_of_ours_is_his_own_and_its_server_is_started(
    tmp_path: Path, name: str, written: str, wanted: str, group: str
) -> None:
    exported = variables(PORTS, OWN)
    assert written in exported[name]
    changed = {**exported, name: exported[name].replace(written, wanted)}
    assert missing_groups(changed, tmp_path, SERVERS) == [each for each in ALL if each != group]
    assert needed_servers(changed, tmp_path, SERVERS) == ["clickhouse", "postgresql", "s3"]
    # Alone, too: only the server that he names is needed for it.
    (tmp_path / "etl.yaml").write_text(
        "source: {host: a}\npostgresql: {host: a}\nclickhouse: {host: a}\ns3: {bucket: a}\n"
    )
    alone = {key: changed[key] for key in GROUPS[group]}
    assert needed_servers(alone, tmp_path, SERVERS) == [
        {"warehouse": "postgresql", "source": "postgresql"}.get(group, group)
    ]


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
