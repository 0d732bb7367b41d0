"""The embedded servers, really started, killed and started again, in a data folder of this module's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import boto3
import psutil
import psycopg2
import pytest
import urllib3
from botocore.config import Config
from botocore.exceptions import ClientError

from etl.project import PROJECT_DIR
from etl.stack.environment import GROUPS

pytestmark = pytest.mark.stack

SERVERS = ["postgresql", "clickhouse", "s3"]


class Shell:
    """`python -m etl.stack …` as a user runs it, with nothing configured but the data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        configured = {name for names in GROUPS.values() for name in names}
        kept = {name: value for name, value in os.environ.items() if name not in configured}
        self.environ = {**kept, "ETL_DATA_DIR": str(data_dir)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "etl.stack", *arguments],
            cwd=PROJECT_DIR,
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, expected: int = 0) -> str:
        process = self.start(*arguments)
        output, errors = process.communicate(timeout=300)
        assert process.returncode == expected, errors
        return output

    def pids(self) -> dict[str, list[int]]:
        """By server, from what `status` prints."""
        process = self.start("status")
        lines = [line.split() for line in process.communicate(timeout=60)[0].splitlines()]
        return {words[0]: [int(pid) for pid in words[5].split(",") if pid != "-"] for words in lines}

    def env(self) -> dict[str, str]:
        program = 'eval "$1"; exec "$2" -c "import json, os; print(json.dumps(dict(os.environ)))"'
        lines = self.run("env", "--all")
        printed = subprocess.run(["sh", "-c", program, "sh", lines, sys.executable], capture_output=True, check=True)
        values = json.loads(printed.stdout)
        return {name: values[name] for names in GROUPS.values() for name in names}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    shell = Shell(tmp_path_factory.mktemp("stack") / "data")
    yield shell
    shell.run("reset")


@pytest.fixture
def running(shell: Shell) -> Shell:
    shell.run("up")
    return shell


@pytest.mark.slow
def test_a_start_killed_half_way_is_made_good_by_the_next(shell: Shell) -> None:
    first = shell.start("up")
    _wait_for(lambda: _is_initialising_a_database(first))
    first.kill()
    first.communicate()
    shell.run("up")
    assert [len(found) for found in shell.pids().values()] == [1, 1, 1]
    _leave_marks(shell)
    assert _marks(shell) == ["in PostgreSQL", "in ClickHouse", "in S3"]


@pytest.mark.slow
def test_two_shells_at_once_start_each_server_once(shell: Shell) -> None:
    shell.run("down")
    for process in [shell.start("up") for _ in range(3)]:
        process.communicate(timeout=300)
        assert process.returncode == 0
    assert [len(found) for found in shell.pids().values()] == [1, 1, 1]


def test_starting_what_runs_changes_nothing(running: Shell) -> None:
    before = running.pids(), running.env()
    output = running.run("up")
    assert (running.pids(), running.env()) == before
    assert [line.split()[:2] for line in output.splitlines()] == [[name, "up"] for name in SERVERS]


def test_killed_servers_come_back_with_their_data(running: Shell) -> None:
    _leave_marks(running)
    before = running.pids()
    for pid in _all(before):
        os.kill(pid, signal.SIGKILL)
    _wait_for(lambda: not any(running.pids().values()))
    running.run("status", expected=3)
    running.run("up")
    assert not set(_all(before)) & set(_all(running.pids()))
    assert _marks(running) == ["in PostgreSQL", "in ClickHouse", "in S3"]


@pytest.mark.slow
def test_ports_that_others_took_are_left_to_them(running: Shell) -> None:
    before = running.env()
    running.run("down")
    ports = [_port(before[name]) for name in ("ETL_POSTGRES_URL", "ETL_CLICKHOUSE_URL", "ETL_S3_ENDPOINT")]
    others = []
    for port in ports:
        with suppress(OSError):  # the servers of other tests were quicker: it is taken
            others.append(socket.create_server(("127.0.0.1", port)))
    try:
        running.run("up")
        after = running.env()
    finally:
        for other in others:
            other.close()
    for name in ("ETL_POSTGRES_URL", "ETL_CLICKHOUSE_URL", "ETL_S3_ENDPOINT"):
        assert _port(after[name]) != _port(before[name])
    assert _marks(running) == ["in PostgreSQL", "in ClickHouse", "in S3"]


@pytest.mark.slow
def test_a_pid_file_that_names_a_stranger_is_no_obstacle(running: Shell) -> None:
    [postmaster] = running.pids()["postgresql"]
    folder = _postgresql_data(postmaster)
    running.run("down")
    # As after a restart of the machine: the number now belongs to somebody else, here to ourselves.
    (folder / "postmaster.pid").write_text(f"{os.getpid()}\n{folder}\n1\n25432\n\n127.0.0.1\n")
    running.run("up")
    assert psutil.Process().is_running()
    assert len(running.pids()["postgresql"]) == 1


def test_sign_in_is_enforced_by_all_three(running: Shell) -> None:
    env = running.env()
    for url in (_with_password(env["ETL_POSTGRES_URL"], "wrong"), _with_password(env["ETL_POSTGRES_URL"], "")):
        with pytest.raises(psycopg2.OperationalError, match="password"):
            psycopg2.connect(url)
    address = env["ETL_CLICKHOUSE_URL"].rpartition("@")[2]
    for headers in (
        {},
        {"X-ClickHouse-User": "default"},
        {"X-ClickHouse-User": "ownlens", "X-ClickHouse-Key": "wrong"},
    ):
        answer = urllib3.request("GET", f"http://{address.split('/')[0]}/?query=SELECT+1", headers=headers)
        assert answer.status in (401, 403, 516)
    assert urllib3.request("GET", f"{env['ETL_S3_ENDPOINT']}/{env['ETL_S3_BUCKET']}").status == 403
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        _s3({**env, "AWS_SECRET_ACCESS_KEY": "wrong"}).list_buckets()


def test_passwords_are_on_no_command_line_and_in_no_readable_file(running: Shell) -> None:
    env = running.env()
    secrets = [str(urlsplit(env["ETL_POSTGRES_URL"]).password), str(urlsplit(env["ETL_CLICKHOUSE_URL"]).password)]
    secrets += [env["AWS_SECRET_ACCESS_KEY"]]
    for pid in _all(running.pids()):
        seen = " ".join([*psutil.Process(pid).cmdline(), *psutil.Process(pid).environ().values()])
        assert [secret for secret in secrets if secret in seen] == []
    readable = [path for path in running.data_dir.iterdir() if path.is_file() and path.stat().st_mode & 0o077]
    assert readable == []
    assert running.data_dir.stat().st_mode & 0o066 == 0


def test_what_stands_in_for_the_users_servers_is_utc_and_as_described(running: Shell) -> None:
    env = running.env()
    assert _postgresql(env["ETL_POSTGRES_URL"], "SELECT current_setting('timezone'), current_database()") == (
        "UTC",
        "warehouse",
    )
    assert _postgresql(env["ETL_SOURCE_POSTGRES_URL"], "SELECT current_database()") == ("source",)
    assert _postgresql(env["ETL_POSTGRES_URL"], "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") == (
        False,
    )
    assert _postgresql(
        env["ETL_POSTGRES_URL"], "SELECT datcollate, upper('é') FROM pg_database WHERE datname = current_database()"
    ) == ("C", "É")
    database = _clickhouse(env, "SELECT timezone(), engine FROM system.databases WHERE name = currentDatabase()")
    assert database == "UTC\tAtomic"


def test_down_leaves_nothing_running(running: Shell) -> None:
    pids = _all(running.pids())
    running.run("down")
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    assert running.run("status", expected=3).count(" down ") == 3


@pytest.mark.slow
def test_a_folder_deleted_under_its_servers_is_made_anew(running: Shell) -> None:
    _leave_marks(running)
    before = running.pids()
    shutil.rmtree(running.data_dir)
    running.run("up")
    assert [pid for pid in _all(before) if psutil.pid_exists(pid)] == []
    assert [len(found) for found in running.pids().values()] == [1, 1, 1]
    assert _postgresql(running.env()["ETL_POSTGRES_URL"], "SELECT to_regclass('public.mark')") == (None,)


@pytest.mark.slow
def test_lost_passwords_are_said(running: Shell) -> None:
    """PostgreSQL's data cannot be opened without them; the error says how to start afresh, and that works."""
    running.run("down")
    (running.data_dir / "credentials.json").unlink()
    process = running.start("up")
    assert "etl stack reset`" in process.communicate(timeout=300)[1]
    assert process.returncode == 1
    running.run("reset")
    running.run("up")


def test_reset_deletes_everything(running: Shell) -> None:
    [postmaster] = running.pids()["postgresql"]
    folder = _postgresql_data(postmaster)
    running.run("reset")
    assert [path.name for path in running.data_dir.iterdir()] == ["lock"]
    assert not folder.exists()


# --- helpers --------------------------------------------------------------------------------------------------------


def _wait_for(condition: Any) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _is_initialising_a_database(start: subprocess.Popen[str]) -> bool:
    return any(process.name() == "initdb" for process in psutil.Process(start.pid).children(recursive=True))


def _all(pids: dict[str, list[int]]) -> list[int]:
    return [pid for found in pids.values() for pid in found]


def _postgresql_data(postmaster: int) -> Path:
    arguments = psutil.Process(postmaster).cmdline()
    return Path(arguments[arguments.index("-D") + 1])


def _leave_marks(shell: Shell) -> None:
    env = shell.env()
    with closing(psycopg2.connect(env["ETL_POSTGRES_URL"])) as connection, connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS mark AS SELECT 'in PostgreSQL'::text AS place")
    _clickhouse(
        env, "CREATE TABLE IF NOT EXISTS mark ENGINE = MergeTree ORDER BY place AS SELECT 'in ClickHouse' place"
    )
    _s3(env).put_object(Bucket=env["ETL_S3_BUCKET"], Key="mark", Body=b"in S3")


def _marks(shell: Shell) -> list[str]:
    env = shell.env()
    return [
        *_postgresql(env["ETL_POSTGRES_URL"], "SELECT place FROM mark"),
        _clickhouse(env, "SELECT place FROM mark"),
        _s3(env).get_object(Bucket=env["ETL_S3_BUCKET"], Key="mark")["Body"].read().decode(),
    ]


def _postgresql(url: str, query: str) -> Any:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()


def _clickhouse(env: dict[str, str], query: str) -> str:
    url = urlsplit(env["ETL_CLICKHOUSE_URL"])
    answer = urllib3.request(
        "POST",
        f"http://{url.hostname}:{url.port}/?database={url.path[1:]}",
        body=query,
        headers=urllib3.make_headers(basic_auth=f"{url.username}:{url.password}"),
    )
    assert answer.status == 200, answer.data
    return answer.data.decode().strip()


def _s3(env: dict[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=env["ETL_S3_ENDPOINT"],
        region_name="us-east-1",
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        config=Config(s3={"addressing_style": "path"}),
    )


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


def _with_password(url: str, password: str) -> str:
    found = urlsplit(url).password
    assert found
    return url.replace(f":{found}@", f":{password}@")
