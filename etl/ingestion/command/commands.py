"""What the four commands do, from the command line's texts to the exit code."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import structlog
from pydantic import ValidationError

from etl.command.console import print_json, table_console
from etl.command.edge import Edge, Ended, exit_of, give_up_stdout, say
from etl.command.exits import Exit
from etl.command.logging import configure_logging, default_log_format
from etl.errors import ConfigurationError, EtlError, SchemaMismatchError, UsageError
from etl.ingestion.command.event_loop import Interrupted, run_to_end
from etl.ingestion.command.options import Reader
from etl.ingestion.command.outputs import Outputs, read_outputs
from etl.ingestion.command.rendering import manifest_json, print_files, print_rejects, print_summary, report_json
from etl.ingestion.database.connection import Connection, Sessions, create_pool, door, nothing_written, transaction
from etl.ingestion.database.settings import Dsn, find_dsn, has_password
from etl.ingestion.database.waits import Waits
from etl.ingestion.model import FileStatus, UploadOptions, UploadReport
from etl.ingestion.upload import manifest
from etl.ingestion.upload.manifest import Entry, ManifestFile, RejectedRow
from etl.ingestion.upload.plan import limits
from etl.ingestion.upload.stored_options import options_from_json
from etl.ingestion.uploader import async_upsert
from etl.ingestion.watch.alerting import UploadAlerts
from etl.ingestion.watch.observers import Observer
from etl.names import path_of, stored_name
from etl.statements.uploader.grants import Places, grant_statements
from etl.statements.uploader.merging import quote_table

log = structlog.get_logger(__name__)

Raw = Mapping[str, Any]
"""A command's flags by their names with _ for -: texts, or booleans for switches."""


def load_files(raw: Raw, environment: Mapping[str, str]) -> int:
    def work() -> int:
        reader = Reader(raw)
        options = reader.checked_options()
        call = _call(reader, environment)
        with call.outputs.observers(is_dry_run=options.dry_run) as observers:
            report = _load(options, call, observers)
        return _end([report], call.outputs, is_dry_run=options.dry_run)

    return _exit_code(work)


def retry_failed_files(raw: Raw, environment: Mapping[str, str]) -> int:
    def work() -> int:
        reader = Reader(raw)
        reader.require("table", "expected NAME or SCHEMA.NAME")
        _check_table(reader)
        call = _call(reader, environment)
        entries = run_to_end(_unfinished(call, reader))
        gone = [filename for filename, _ in entries if not path_of(filename).is_file()]
        for filename in gone:
            _say(f"not retried: {filename} is not there any more")
        loads = _loads_again([(filename, entry) for filename, entry in entries if filename not in gone])
        if not entries:
            _say(f"nothing to retry: no file of {reader.text('table')} failed or was broken off")
        with call.outputs.observers() as observers:
            reports, refusals = _load_each(loads, call, observers)
        return _end(reports, call.outputs) or (Exit.FAILED if gone or refusals else 0)

    return _exit_code(work)


def show_status(raw: Raw, environment: Mapping[str, str]) -> int:
    def work() -> int:
        reader = Reader(raw)
        status = reader.choice("status", FileStatus) if reader.text("status") else None
        _check_table(reader)
        call = _call(reader, environment)
        files, rejects = run_to_end(_manifest(call, reader, status))
        if call.outputs.is_json:
            print_json(manifest_json(files, rejects))
            return 0
        print_files(files, table_console())
        if rejects:
            print_rejects(rejects, table_console())
        return 0

    return _exit_code(work)


def set_up_database(raw: Raw, environment: Mapping[str, str]) -> int:
    def work() -> int:
        reader = Reader(raw)
        role, table = reader.text("role"), reader.text("table")
        reader.names("--role", [role])
        _check_table(reader)
        call = _call(reader, environment)
        places = run_to_end(_created(call, table))
        sys.stdout.write("\n".join(grant_statements(places, role, table)) + "\n")
        return 0

    return _exit_code(work)


def _load(options: UploadOptions, call: _Call, observers: Sequence[Observer]) -> UploadReport:
    """A dry run tells nobody."""
    if options.dry_run:
        return run_to_end(async_upsert(options, call.dsn, observers))
    alerts = UploadAlerts(call.outputs.alerts, call.dsn, call.connect_timeout_seconds)
    with alerts.of_breaking_off(options.table):
        report = run_to_end(async_upsert(options, call.dsn, observers))
    run_to_end(alerts.tell(report))
    return report


def _load_each(
    loads: Sequence[UploadOptions], call: _Call, observers: Sequence[Observer]
) -> tuple[list[UploadReport], list[EtlError]]:
    """A load that is refused is told and holds up no other; where all are, raises the last one's error."""
    reports: list[UploadReport] = []
    refusals: list[EtlError] = []
    for options in loads:
        try:
            reports.append(_load(options, call, observers))
        except (UsageError, ConfigurationError, SchemaMismatchError) as error:
            refusals.append(error)
    last = refusals.pop() if refusals and not reports else None
    for refusal in refusals:
        _say(f"not retried: {refusal.message}")
    if last is not None:
        raise last
    return reports, refusals


def _check_table(reader: Reader) -> None:
    table = reader.text("table")
    reader.names("--table", table.split(".", maxsplit=1) if table else [])


@dataclass(frozen=True)
class _Call:
    dsn: Dsn
    outputs: Outputs
    connect_timeout_seconds: int


def _call(reader: Reader, environment: Mapping[str, str]) -> _Call:
    """Where to, and whereto with the words; raises all that is wrong with the command line. Logging is set up."""
    outputs = read_outputs(reader, environment)
    seconds = reader.number("connect_timeout", 10)
    dsn_file = Path(reader.text("dsn_file")).expanduser() if reader.text("dsn_file") else None
    try:
        dsn = find_dsn(reader.text("dsn") or None, dsn_file, environment)
    except UsageError as error:
        reader.faults.append(error.message)
        dsn = Dsn()
    reader.refuse()
    configure_logging(outputs.log_format, secrets=(*dsn.secrets, *outputs.alerts.secrets))
    if has_password(reader.text("dsn")):
        log.warning(
            "password on the command line",
            next_step="whoever lists processes can read it; use ETL_UPLOADER_DSN or --dsn-file instead of --dsn",
        )
    return _Call(dsn, outputs, seconds)


def _end(reports: Sequence[UploadReport], outputs: Outputs, *, is_dry_run: bool = False) -> int:
    try:
        _print(reports, outputs, is_dry_run)
    except Exception as error:  # noqa: BLE001 - the rows are stored, whoever reads the report or does not
        log.warning("report not printed", error=repr(error), next_step="uploader status shows what is stored")
        give_up_stdout()
    return 0 if all(report.is_success for report in reports) else Exit.FAILED


def _print(reports: Sequence[UploadReport], outputs: Outputs, is_dry_run: bool) -> None:
    if outputs.is_json:
        told = [report_json(report) for report in reports]
        print_json(told[0] if len(told) == 1 else told)
    else:
        for report in reports:
            print_summary(report, table_console(), is_dry_run=is_dry_run)
    sys.stdout.flush()


def _exit_code(work: Callable[[], int]) -> int:
    """The one place where errors end: as a line on stderr and an exit code."""
    configure_logging(default_log_format())
    return Edge(_exit_of, tell=lambda text, _: _say(text)).exit_code(lambda: _done(work))


def _exit_of(error: EtlError) -> Exit:
    return Exit.USAGE if isinstance(error, SchemaMismatchError) else exit_of(error)


def _done(work: Callable[[], int]) -> int:
    try:
        return work()
    except Interrupted as error:
        said = f"ended by {error}; what had committed stays, the same command with --resume takes up the rest"
        raise Ended(error.number, said) from None


def _say(text: str) -> None:
    say(f"uploader: {text}")


# --- what the commands ask the manifest ------------------------------------------------------------------------------


@asynccontextmanager
async def _connected(call: _Call) -> AsyncIterator[Connection]:
    sessions, timeout = Sessions(_LOOK_SECONDS), call.connect_timeout_seconds
    pool = await create_pool(call.dsn, 1, connect_timeout_seconds=timeout, sessions=sessions)
    waits = Waits(call.dsn, sessions, timeout)
    try:
        with nothing_written(), waits.explaining(), door(call.dsn, "ask the manifest"):
            async with waits.watched(), pool.acquire(timeout=timeout) as connection:
                yield connection
    finally:
        pool.terminate()


_LOOK_SECONDS = 300
_LIMITS = limits(UploadOptions.lock_timeout_seconds, _LOOK_SECONDS)
"""What only reads the manifest does not wait for ever, either: somebody sits before it."""


async def _manifest(
    call: _Call, reader: Reader, status: FileStatus | None
) -> tuple[list[ManifestFile], list[RejectedRow]]:
    """The files asked for; of a single one its rejected rows, too."""
    table, run_id, path = (reader.text(name) or None for name in ("table", "run_id", "file"))
    name = stored_name(Path(path).expanduser().resolve()) if path else None
    async with _connected(call) as connection, transaction(connection, *_LIMITS):
        await _require_manifest(connection)
        files = await manifest.list_files(connection, table, run_id, status)
        files = [file for file in files if name is None or file.filename == name]
        rejects = await manifest.list_rejects(connection, name, table) if name else []
    return files, rejects


async def _unfinished(call: _Call, reader: Reader) -> list[tuple[str, Entry]]:
    """The files that failed or were broken off, with what the manifest holds of each."""
    table, run_id = reader.text("table"), reader.text("run_id") or None
    async with _connected(call) as connection, transaction(connection, *_LIMITS):
        await _require_manifest(connection)
        files = await manifest.list_files(connection, table, run_id)
        unfinished = sorted((f.filename, f.table) for f in files if f.status in (FileStatus.FAILED, FileStatus.PENDING))
        found = [(name, await manifest.find_entry(connection, name, target)) for name, target in unfinished]
    return [(name, entry) for name, entry in found if entry is not None]


def _loads_again(entries: Sequence[tuple[str, Entry]]) -> list[UploadOptions]:
    """Files that were loaded with the same options go together."""
    groups: dict[UploadOptions, list[str]] = defaultdict(list)
    for filename, entry in entries:
        groups[_stored(entry, filename)].append(str(path_of(filename)))
    return [replace(options, files=tuple(files), resume=True) for options, files in groups.items()]


def _stored(entry: Entry, filename: str) -> UploadOptions:
    try:
        return options_from_json(entry.options, ())
    except ValidationError as error:
        raise UsageError(
            f"{filename}: its options in the manifest are of another version; load it with `uploader load --resume`"
        ) from error


async def _require_manifest(connection: Connection) -> None:
    if not await connection.fetchval(manifest.statement("manifest_exists")):
        raise UsageError("the manifest's tables are not there; nothing was loaded yet, or `uploader init` creates them")


async def _created(call: _Call, table: str) -> Places:
    async with _connected(call) as connection:
        await manifest.create(connection, _LIMITS)
        async with transaction(connection, *_LIMITS):
            await connection.execute(manifest.alerts_sql())
            places = manifest.statement("places_for_grants")
            row = await connection.fetchrow(places, quote_table(table) if table else "")
    return Places(*row)
