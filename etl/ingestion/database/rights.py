"""What this role may do, asked before anything is written: what is missing is named at once."""

from __future__ import annotations

from collections.abc import Iterator

from etl.errors import UsageError
from etl.ingestion.database.connection import Connection
from etl.ingestion.database.target import TargetTable
from etl.ingestion.model import Mode, UploadOptions
from etl.ingestion.upload.manifest import statement
from etl.statements.quoting import postgresql_known_identifier

_OF_THE_MANIFEST = (
    ("ingestion_manifest", "SELECT"),
    ("ingestion_manifest", "INSERT"),
    ("ingestion_manifest", "UPDATE"),
    ("ingestion_batches", "SELECT"),
    ("ingestion_batches", "INSERT"),
    ("ingestion_rejects", "INSERT"),
)


async def refuse_missing_rights(connection: Connection, target: TargetTable, options: UploadOptions) -> None:
    """Raises UsageError. A dry run needs the table's rights too: it says what the run itself would do."""
    if await connection.fetchval("SELECT current_setting('transaction_read_only')::boolean"):
        raise UsageError(
            "expected a server that can be written to, found one that lets this role read only (a standby, or "
            "default_transaction_read_only); name the primary"
        )
    needed = [*_of_target(target, options), *(() if options.dry_run else _OF_THE_MANIFEST)]
    relations, rights = [name for name, _ in needed], [right for _, right in needed]
    missing = await connection.fetch(statement("missing_rights"), relations, rights)
    if missing:
        role = await connection.fetchval("SELECT current_user")
        raise UsageError(
            f"the role {role} lacks {', '.join(row[0] for row in missing)}; "
            "`uploader init --role ROLE --table TABLE` prints the grants it needs"
        )


def _of_target(target: TargetTable, options: UploadOptions) -> Iterator[tuple[str, str]]:
    if target.exists:
        yield target.sql, "INSERT"
        if options.mode is Mode.UPSERT:
            yield target.sql, "SELECT"
        if options.mode is Mode.UPSERT and _may_update(target, options):
            yield target.sql, "UPDATE"
    names = {header.name for header in options.headers}
    for column in target.columns:
        if column.sequence is None:
            continue
        sequence = ".".join(postgresql_known_identifier(str(column.sequence[part])) for part in ("schema", "name"))
        if column.name not in names and not column.identity:
            yield sequence, "USAGE"
        if column.name in names and options.advance_sequences:
            yield target.sql, "SELECT"
            yield sequence, "SELECT"
            yield sequence, "UPDATE"


def _may_update(target: TargetTable, options: UploadOptions) -> bool:
    """A key can be stored otherwise than it is written, too, where its type's `=` is not exact."""
    exact = {column.name for column in target.columns if column.is_exact}
    return any(header.name not in options.primary_key or header.name not in exact for header in options.headers)
