"""What can be wrong with a call of the uploader before any file or database is touched; all of it at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from zoneinfo import available_timezones

from etl.config.limits import parse_limit
from etl.ingestion.csv.dialect import csv_option_faults
from etl.ingestion.model import BadRows, Mode, UploadOptions
from etl.postgresql_types import COLUMNS_OF_A_TABLE, IDENTIFIER_BYTES, format_type

IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TIMEZONE = re.compile(r"[A-Za-z0-9_+/-]+")
RUN_ID = re.compile(r"[A-Za-z0-9_.-]{1,100}")

MOST_KEY_COLUMNS = 32
"""PostgreSQL's own limits of a table and of an index."""

_RANGES = {
    "chunk_size": (1, 5_000_000),
    "concurrency": (1, 64),
    "max_retries": (0, 20),
    "lock_timeout_seconds": (0, 86_400),
    "statement_timeout_seconds": (0, 86_400),
    "connect_timeout_seconds": (1, 3_600),
}


def faults_of(options: UploadOptions) -> tuple[str, ...]:
    """One sentence a fault, each naming the flag; empty where the options can be used."""
    return (
        *_of_table(options),
        *_of_headers(options),
        *_of_key(options),
        *_of_order(options),
        *_of_numbers(options),
        *_of_limit(options),
        *csv_option_faults(options.csv),
        *_of_rest(options),
    )


def identifier_fault(name: str) -> str | None:
    """Why a name is refused as an identifier, to be put after it; None where it is one."""
    if not IDENTIFIER.fullmatch(name):
        return "is no identifier: expected letters, digits and _, not beginning with a digit"
    if len(name) > IDENTIFIER_BYTES:
        return f"has {len(name)} characters; PostgreSQL would cut it off at {IDENTIFIER_BYTES}"
    return None


def _of_table(options: UploadOptions) -> Iterator[str]:
    if not options.table:
        yield "--table is missing: expected NAME or SCHEMA.NAME"
    elif options.table.count(".") > 1:
        yield f"--table {options.table!r}: expected NAME or SCHEMA.NAME"
    else:
        yield from _of_names("--table", options.table.split("."))


def _of_headers(options: UploadOptions) -> Iterator[str]:
    names = [header.name for header in options.headers]
    if not names:
        yield "--headers is missing: expected the columns to load, such as id,name or id:bigint,name:text"
    yield from _of_names("--headers", names)
    yield from _of_repeats("--headers", names)
    for header in options.headers:
        if header.type is not None:
            yield from _of_type(header.name, header.type)
    if len(names) > COLUMNS_OF_A_TABLE:
        yield f"--headers names {len(names)} columns; a table of PostgreSQL has at most {COLUMNS_OF_A_TABLE}"


def _of_type(name: str, type_name: str) -> Iterator[str]:
    """A type becomes part of CREATE TABLE as it stands, so only known ones pass."""
    try:
        format_type(type_name)
    except ValueError as error:
        yield f"--headers {name}: {error}"


def _of_key(options: UploadOptions) -> Iterator[str]:
    if options.mode is Mode.UPSERT and not options.primary_key:
        yield "--pk is missing: expected the key's columns, such as id, which --mode upsert needs"
    yield from _of_columns("--pk", options.primary_key, options)
    if len(options.primary_key) > MOST_KEY_COLUMNS:
        yield f"--pk names {len(options.primary_key)} columns; a key of PostgreSQL has at most {MOST_KEY_COLUMNS}"


def _of_order(options: UploadOptions) -> Iterator[str]:
    if options.dedup_order_by and options.mode is not Mode.UPSERT:
        yield "--dedup-order-by goes with --mode upsert only: appending keeps every row"
    yield from _of_columns("--dedup-order-by", [column.name for column in options.dedup_order_by], options)


def _of_columns(flag: str, names: Iterable[str], options: UploadOptions) -> Iterator[str]:
    given = list(names)
    known = {header.name for header in options.headers}
    yield from _of_names(flag, given)
    yield from _of_repeats(flag, given)
    for name in given:
        if known and IDENTIFIER.fullmatch(name) and name not in known:
            yield f"{flag}: {name!r} is not among --headers"


def _of_names(flag: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        fault = identifier_fault(name)
        if fault:
            yield f"{flag}: {name!r} {fault}"


def _of_repeats(flag: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{flag}: {name!r} stands {count} times"


def _of_numbers(options: UploadOptions) -> Iterator[str]:
    for name, (least, most) in _RANGES.items():
        value = getattr(options, name)
        if not least <= value <= most:
            yield f"--{name.replace('_', '-').removesuffix('-seconds')} {value}: expected {least:,} to {most:,}"


def _of_limit(options: UploadOptions) -> Iterator[str]:
    if options.maximum_rejected is None:
        return
    if options.bad_rows is not BadRows.REJECT:
        yield "--maximum-rejected goes with --rejects reject: without it the first bad row fails its file"
    try:
        parse_limit(options.maximum_rejected)
    except ValueError as error:
        yield f"--maximum-rejected: {error}"


def _of_rest(options: UploadOptions) -> Iterator[str]:
    if options.resume and options.restart:
        yield "--resume and --restart exclude one another"
    if options.timezone is not None and not _is_timezone(options.timezone):
        yield f"--timezone {options.timezone!r} is not known: expected a name such as Europe/Vienna or UTC"
    if options.run_id is not None and not RUN_ID.fullmatch(options.run_id):
        yield f"--run-id {options.run_id!r}: expected at most 100 letters, digits, _, - and ."


def _is_timezone(name: str) -> bool:
    """Where the machine has no database of zones, what looks like a name passes; then the server's word counts."""
    return bool(TIMEZONE.fullmatch(name)) and name in (available_timezones() or (name,))
