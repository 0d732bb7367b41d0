"""The temporary table of a batch: which columns it has, of what types, and what their values are asked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from etl.ingestion.database.target import TargetColumn
from etl.ingestion.model import Batch, CsvBytes, Records, StagedColumn, TolerantMode
from etl.ingestion.upload.plan import WritePlan
from etl.postgresql_types import base_type
from etl.statements.uploader.checks import Checks
from etl.statements.uploader.merging import (
    OrderBy,
    TempColumn,
    Upload,
    UploadColumn,
    is_text_like,
    is_unbounded_text,
    without_length,
)

_INSTANT = "timestamp with time zone"
_WHOLE = frozenset({"smallint", "integer", "bigint"})
_READ_THROUGH = {"regclass": "bpchar"}
"""Where PostgreSQL's cast from text takes less than the type itself: an object's number, or - for none."""

_WITHOUT_SHIFTS = frozenset({"UTC", "Etc/UTC", "GMT", "Z"})


@dataclass(frozen=True)
class Staging:
    """A batch's temporary table: `columns` in the payload's order, `upload` for what goes on into the target."""

    upload: Upload
    columns: tuple[TempColumn, ...]
    checks: Checks = field(default_factory=Checks)

    @property
    def name(self) -> str:
        return self.upload.staging

    @property
    def copied(self) -> list[str]:
        """The columns that COPY brings, in the payload's order."""
        return [column.name for column in self.columns if not column.is_filled]


def staging_of(plan: WritePlan, batch: Batch, worker: int) -> Staging:
    """CSV is staged in the target's own types, so that COPY checks each value; as text where more is asked."""
    checks = _checks(plan, batch)
    as_text = {*checks.zoned, *checks.local, *checks.whole, *(name for name, _ in checks.scales)}
    columns, temporary = [], []
    for place, staged in enumerate(batch.columns):
        target = plan.target.column(staged.header) if staged.header else None
        if target is None or target.is_generated:
            temporary.append(TempColumn(f"@unused_{place}", staged.type))
            continue
        kind = staged.type
        if target.name not in as_text and _is_written_alike(batch, staged, target):
            kind = target.type
        through = "numeric" if target.name in checks.whole else _READ_THROUGH.get(target.plain)
        columns.append(_upload_column(target, kind, through))
        temporary.append(TempColumn(target.name, kind, not_null=_takes_no_null(plan, target)))
    for target in _filled(plan, batch):
        columns.append(_upload_column(target, "text"))
        temporary.append(TempColumn(target.name, "text", is_filled=True))
    return Staging(_upload(plan, tuple(columns), worker), tuple(temporary), checks)


def _upload_column(target: TargetColumn, staged_type: str, through: str | None = None) -> UploadColumn:
    return UploadColumn(target.name, target.type, staged_type, through, target.collation, is_exact=target.is_exact)


def _filled(plan: WritePlan, batch: Batch) -> list[TargetColumn]:
    """What the file lacks and --tolerant-mode empty gives to each of its rows."""
    if plan.options.csv.tolerant is not TolerantMode.EMPTY:
        return []
    there = {staged.header for staged in batch.columns}
    found = [plan.target.column(header.name) for header in plan.options.headers if header.name not in there]
    return [column for column in found if column is not None and not column.is_generated]


def _is_written_alike(batch: Batch, staged: StagedColumn, target: TargetColumn) -> bool:
    """Whether COPY may bring it as the target's own type: so it checks lengths, which no cast to a domain does."""
    is_text = staged.type == "text" and is_text_like(target.plain)
    return is_text or isinstance(batch.payload, CsvBytes)


def _takes_no_null(plan: WritePlan, column: TargetColumn) -> bool:
    """Asked as early as in the temporary table, so that a dry run asks it too; a trigger may yet put in a value."""
    return column.name in plan.key or (column.not_null and plan.target.is_plain)


def loosened(staging: Staging, batch: Batch, only: frozenset[str] | None = None) -> Staging:
    """The same rows in columns that take anything: text for CSV, and no length, scale or NOT NULL for the rest. Every
    value is asked whether its column will take it. `only`: these columns; of the others COPY asks."""
    is_csv = isinstance(batch.payload, CsvBytes)
    travelled = {
        column.name: "text" if is_csv else without_length(staged.type)
        for column, staged in zip(staging.columns, batch.columns, strict=False)
    }
    loose = {
        column.name: travelled.get(column.name, column.type) if only is None or column.name in only else column.type
        for column in staging.columns
    }
    upload = replace(
        staging.upload,
        columns=tuple(
            replace(column, staged_type=loose[column.name], is_asked=True) for column in staging.upload.columns
        ),
    )
    columns = tuple(replace(c, type=loose[c.name], not_null=False) for c in staging.columns)
    whole = staging.checks.whole
    fit = tuple(c.name for c in upload.columns if not is_unbounded_text(c.type) and c.name not in whole)
    return Staging(upload, columns, replace(staging.checks, fit=fit))


def _upload(plan: WritePlan, columns: tuple[UploadColumn, ...], worker: int) -> Upload:
    target, options = plan.target, plan.options
    always = {column.name for column in target.columns if column.is_always_identity}
    exact_key = {column.name for column in columns if column.is_exact and column.name in options.primary_key}
    names = {column.name for column in columns}
    return Upload(
        target=target.sql,
        staging=temp_table_name(target.sql, worker),
        columns=columns,
        key=plan.key,
        settable=tuple(c.name for c in columns if c.name not in exact_key and c.name not in always),
        order_by=tuple(OrderBy(each.name, each.descending) for each in options.dedup_order_by),
        overriding=bool(always & names),
        is_partitioned=target.is_partitioned,
    )


def temp_table_name(target: str, worker: int) -> str:
    """The same for a worker and target every time, and short whatever the target's name is."""
    digest = hashlib.sha256(target.encode()).hexdigest()[:8]
    return f"_uploader_{digest}_{worker}"


def _checks(plan: WritePlan, batch: Batch) -> Checks:
    """Only text can leave its zone unsaid; only what is not of the target's own type has more decimals than it."""
    zone = plan.options.timezone
    zoned, local, scales, whole = [], [], [], []
    for staged in batch.columns:
        target = plan.target.column(staged.header) if staged.header else None
        if target is None:
            continue
        is_loose = staged.type == "text" and isinstance(batch.payload, CsvBytes | Records)
        if base_type(target.plain) == _INSTANT and is_loose:
            if zone is None:
                zoned.append(target.name)
            elif zone not in _WITHOUT_SHIFTS:
                local.append(target.name)
        if plan.options.strict_decimals and target.plain.startswith("numeric(") and staged.type != target.plain:
            scales.append((target.name, int(target.plain.rstrip(")").partition(",")[2])))
        if plan.options.whole_floats and is_loose and target.plain in _WHOLE:
            whole.append(target.name)
    return Checks(zoned=tuple(zoned), local=tuple(local), scales=tuple(scales), whole=tuple(whole))
