"""How each peer is told to upsert a file of events into a table; all of them read the address from the environment."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from bench.commands import Finished, run_command
from bench.event_files import EventFiles
from bench.events import KEY, POSTGRESQL_TYPES
from bench.peers.environment import PeersEnvironment
from bench.psql import psql_command, psql_environment
from bench.upsert_sql import STAGING, TEXT_TYPES, create_staging, upsert

Upload = Callable[[EventFiles, str], Finished]

DLT_SCHEMA = "bench_dlt"
_SCRIPTS = Path(__file__).parent


@dataclass(frozen=True)
class Peers:
    """`dsn` holds the password: it goes into environments only."""

    environment: PeersEnvironment
    dsn: str

    def psql(self, files: EventFiles, table: str) -> Finished:
        copy = f"\\copy {STAGING} FROM '{files.csv}' WITH (FORMAT csv, HEADER true)"
        script = f"{create_staging(table)};\n{copy}\n{upsert(table, TEXT_TYPES)};\n"
        with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
            file.write(script)
            file.flush()
            server = urlsplit(self.dsn)
            assert server.hostname and server.port and server.username and server.password
            environment = psql_environment(
                server.hostname, server.port, server.username, server.password, server.path.strip("/")
            )
            return run_command([*psql_command(), "-f", file.name], environment)

    def sling(self, files: EventFiles, table: str) -> Finished:
        """All columns as text, as everybody's here: without inferring types it is faster, too."""
        with tempfile.TemporaryDirectory(prefix="bench-sling-") as home:
            command = [str(self.environment.sling()), "run", "--mode", "incremental", "--primary-key", KEY]
            command += ["--src-stream", f"file://{files.csv}", "--columns", json.dumps({"*": "text"})]
            command += ["--tgt-conn", "BENCH_TARGET", "--tgt-object", f"public.{table}"]
            variables = {
                "BENCH_TARGET": f"{self.dsn}?sslmode=disable",
                "SLING_HOME_DIR": home,
                "SLING_DISABLE_TELEMETRY": "true",
            }
            return run_command(command, {**os.environ, **variables})

    def dlt(self, files: EventFiles, table: str) -> Finished:
        return self._script("dlt_upsert.py", str(files.csv), DLT_SCHEMA, table, KEY)

    def adbc(self, files: EventFiles, table: str) -> Finished:
        return self._script("adbc_upsert.py", str(files.parquet), STAGING, upsert(table, POSTGRESQL_TYPES))

    def tuples(self, files: EventFiles, table: str) -> Finished:
        """In key order, as concurrent upserts must; of the peers only this one has several writers."""
        statement = upsert(table, POSTGRESQL_TYPES, f"ORDER BY {KEY}")
        create = create_staging(table, "ON COMMIT DROP")
        return self._script("tuples_upsert.py", str(files.parquet), STAGING, create, statement)

    def _script(self, name: str, *arguments: str) -> Finished:
        command = [str(self.environment.python), str(_SCRIPTS / name), *arguments]
        variables = {"BENCH_DSN": self.dsn, "RUNTIME__DLTHUB_TELEMETRY": "false"}
        finished = run_command(command, {**os.environ, **variables})
        return replace(finished, working_seconds=float(finished.output.split()[-1]))
