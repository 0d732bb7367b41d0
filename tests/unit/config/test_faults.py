"""Every fault the configuration can have: the bad entry beside the good one, with line and nearest name."""

from __future__ import annotations

from textwrap import dedent

import pytest

from tests.unit.config.conftest import Folder

GOOD = """\
tables:
  orders:
    kind: snapshot
    key: order_id
    date_column: order_date
"""


def test_the_good_entry_has_no_fault(folder: Folder) -> None:
    assert folder.tables(GOOD).faults() == []


# name: (good lines beneath `orders`, bad lines, line within those, message). The lines stand from line 6 on.
CASES = {
    "unknown key": (
        "transform: {}",
        "transfrom: {}",
        6,
        "unknown key 'transfrom' in orders; did you mean 'transform'?",
    ),
    "unknown key of a destination": (
        "s3: {compression: gzip}",
        "s3:\n  compresion: gzip",
        7,
        "unknown key 'compresion' in s3; did you mean 'compression'?",
    ),
    "an append that cannot update files": (
        "s3: {format: parquet, mode: append, conflict_resolution: skip}",
        "s3: {format: parquet, mode: append}",
        6,
        "s3.mode append: rows of parquet files cannot be updated in place; set conflict_resolution to error or skip, "
        "or format to delta",
    ),
    "unknown destination": (
        "clickhouse: {codec: ZSTD}",
        "clickhous: {codec: ZSTD}",
        6,
        "unknown key 'clickhous' in orders; did you mean 'clickhouse'?",
    ),
    "unknown key of extract": (
        "extract: {overlap_seconds: 60}",
        "extract: {overlap: 60}",
        6,
        "unknown key 'overlap' in extract; did you mean 'overlap_seconds'?",
    ),
    "unknown key of transform": (
        "transform: {rename: {}}",
        "transform: {renam: {}}",
        6,
        "unknown key 'renam' in transform; did you mean 'rename'?",
    ),
    "a key that the table states for all destinations": (
        "postgresql: {conflict_target: order_id}",
        "postgresql: {key: order_id}",
        6,
        "unknown key 'key' in postgresql; valid: conflict_resolution, conflict_target, copy_format, enabled, "
        "foreign_keys, format, maximum_deleted, maximum_rejected, mode, null_safe_key, out_of_range, partition_by "
        "and 4 more",
    ),
    "unknown mode": (
        "s3: {mode: append}",
        "s3: {mode: apend}",
        6,
        "s3.mode: unknown value 'apend'; did you mean 'append'?",
    ),
    "unknown engine": (
        "clickhouse: {engine: ReplacingMergeTree}",
        "clickhouse: {engine: ReplacingMergeTre}",
        6,
        "clickhouse.engine: unknown value 'ReplacingMergeTre'; did you mean 'ReplacingMergeTree'?",
    ),
    "unknown format": (
        "s3: {format: delta}",
        "s3: {format: dleta}",
        6,
        "s3.format: unknown value 'dleta'; did you mean 'delta'?",
    ),
    "unknown source type": (
        "source: {type: postgresql}",
        "source: {type: postgres}",
        6,
        "source.type: unknown value 'postgres'; did you mean 'postgresql'?",
    ),
    "unknown mask": (
        "transform: {mask: {customer_id: all}}",
        "transform: {mask: {customer_id: al}}",
        6,
        "transform.mask.customer_id: unknown value 'al'; did you mean 'all'?",
    ),
    "a value of the wrong type": (
        "s3: {target_file_size_mb: 64}",
        "s3: {target_file_size_mb: many}",
        6,
        "s3.target_file_size_mb: should be a valid integer; found 'many'",
    ),
    "a number written as text": (
        "s3: {target_file_size_mb: 64}",
        "s3: {target_file_size_mb: '64'}",
        6,
        "s3.target_file_size_mb: should be a valid integer; found '64'",
    ),
    "yes is no boolean": (
        "postgresql: {foreign_keys: false}",
        "postgresql: {foreign_keys: no}",
        6,
        "postgresql.foreign_keys: should be a valid boolean; found 'no'",
    ),
    "a number out of range": (
        "extract: {overlap_seconds: 0}",
        "extract: {overlap_seconds: -1}",
        6,
        "extract.overlap_seconds: should be greater than or equal to 0; found -1",
    ),
    "a way to find late commits that there is not": (
        "extract: {late_commits: exact}",
        "extract: {late_commits: exactly}",
        6,
        "extract.late_commits: unknown value 'exactly'; did you mean 'exact'?",
    ),
    "a block that is no mapping": (
        "s3: {}",
        "s3: merge",
        6,
        "s3 must be a mapping of keys",
    ),
    "duplicate keys": (
        "null_safe_key: true",
        "null_safe_key: true\nnull_safe_key: false",
        7,
        "key 'null_safe_key' is already given in line 6",
    ),
    "a missing variable": (
        "s3: {path: '${LAKE_PATH:-shop/orders}'}",
        "s3: {path: '${LAKE_PATH}'}",
        6,
        "variable LAKE_PATH is not set; set it, or write ${LAKE_PATH:-default}",
    ),
    "an unknown placeholder": (
        "s3: {path: 'sales/{table}'}",
        "s3: {path: 'sales/{tabel}'}",
        6,
        "unknown name {tabel} in 'sales/{tabel}'; did you mean 'table'?",
    ),
    "merge into Parquet": (
        "s3: {format: delta, mode: merge}",
        "s3: {format: parquet, mode: merge}",
        6,
        "s3 with format parquet cannot merge; valid: append, error, ignore, overwrite, overwrite_partitions",
    ),
    "merge into JSON": (
        "s3: {format: json, mode: append, conflict_resolution: skip}",
        "s3: {format: json, mode: merge}",
        6,
        "s3 with format json cannot merge; valid: append, error, ignore, overwrite, overwrite_partitions",
    ),
    "merge into PostgreSQL": (
        "postgresql: {mode: upsert}",
        "postgresql: {mode: merge}",
        6,
        "postgresql cannot merge; valid: append, error, ignore, overwrite, upsert",
    ),
    "merge into MergeTree": (
        "clickhouse: {engine: ReplacingMergeTree, mode: merge}",
        "clickhouse:\n  engine: MergeTree\n  mode: merge",
        8,
        "clickhouse with engine MergeTree cannot merge; valid: append, replace_partition",
    ),
    "upsert into ClickHouse": (
        "clickhouse: {mode: append}",
        "clickhouse: {mode: upsert}",
        6,
        "clickhouse with engine ReplacingMergeTree cannot upsert; valid: append, merge, replace_partition",
    ),
    "marks in files that are not changed": (
        "vanished_rows: mark",
        "s3: {format: parquet, mode: append, conflict_resolution: skip, vanished_rows: mark}",
        6,
        "s3 with format parquet: mode append cannot mark rows that are gone (vanished_rows: mark); write `s3: {format: "
        "delta, mode: merge}`, or write `vanished_rows: delete` or `keep` in the block s3",
    ),
    "marks that nothing takes back": (
        "postgresql: {conflict_resolution: update, vanished_rows: mark}",
        "postgresql:\n  conflict_resolution: skip\n  vanished_rows: mark",
        8,
        "postgresql: rows that are gone are marked, and lose their mark when they come back (vanished_rows: mark), by "
        "conflict_resolution update alone, found skip; write `vanished_rows: delete` or `keep` in the block postgresql",
    ),
    "deleted rows that some stores keep": (
        "vanished_rows: mark\ntransform: {deleted_when: amount < 0}",
        "s3: {vanished_rows: mark}\ntransform: {deleted_when: amount < 0}",
        7,
        "transform.deleted_when: rows that the source calls deleted go from all stores or stay in all, and "
        "vanished_rows is keep in postgresql, clickhouse and not in the others; write it once for the table",
    ),
    "deleted rows that a mode cannot find": (
        "vanished_rows: delete\ntransform: {deleted_when: amount < 0}",
        "vanished_rows: delete\ntransform: {deleted_when: amount < 0}\nclickhouse: {mode: append}",
        8,
        "clickhouse with engine ReplacingMergeTree: mode append with conflict_resolution update cannot let go of "
        "single rows that the source calls deleted (transform.deleted_when); write `clickhouse: {engine: "
        "ReplacingMergeTree, mode: merge}`, with conflict_resolution update, or `clickhouse: {enabled: false}`",
    ),
    "overwrite_partitions without partitions": (
        "s3: {format: parquet, mode: overwrite_partitions}",
        "s3: {format: parquet, mode: overwrite_partitions, partition_by: null}",
        6,
        "s3.mode overwrite_partitions needs `partition_by: partition_date`",
    ),
    "a partition that the lake has not": (
        "s3: {partition_by: partition_date}",
        "s3: {partition_by: order_date}",
        6,
        "s3.partition_by can only be partition_date (the day of date_column)",
    ),
    "retention without partitions": (
        "s3: {retention_days: 30}",
        "s3: {retention_days: 30, partition_by: null}",
        6,
        "s3.retention_days deletes expired partitions and needs partition_by",
    ),
    "a path that leaves the lake": (
        "s3: {path: shop/all_orders}",
        "s3: {path: ../orders}",
        6,
        "s3.path '../orders': expected names of letters, digits, `.`, `_`, `-` joined by `/`",
    ),
    "a path with a slash too many": (
        "s3: {path: shop/all_orders}",
        "s3: {path: shop/orders/}",
        6,
        "s3.path 'shop/orders/': expected names of letters, digits, `.`, `_`, `-` joined by `/`",
    ),
    "a ClickHouse partition of another column": (
        "clickhouse: {partition_by: toYYYYMMDD(order_date)}",
        "clickhouse: {partition_by: toYYYYMMDD(created_at)}",
        6,
        "clickhouse.partition_by 'toYYYYMMDD(created_at)': expected toYYYYMM(order_date) or toYYYYMMDD(order_date)",
    ),
    "two ClickHouse partition expressions": (
        "clickhouse: {partition_by: [toYYYYMM(order_date)]}",
        "clickhouse: {partition_by: [toYYYYMM(order_date), toYYYYMMDD(order_date)]}",
        6,
        "clickhouse.partition_by holds one expression at most",
    ),
    "a version that MergeTree ignores": (
        "clickhouse: {version: updated_at}",
        "clickhouse: {version: updated_at, engine: MergeTree, mode: append}",
        6,
        "clickhouse.version: engine MergeTree keeps no version; use ReplacingMergeTree",
    ),
    "a partitioned PostgreSQL target": (
        "postgresql: {partition_by: []}",
        "postgresql: {partition_by: order_date}",
        6,
        "postgresql.partition_by: target tables are not partitioned; leave it out",
    ),
    "a name of more than 63 bytes": (
        f"postgresql: {{target_name: {'ü' * 31}}}",
        f"postgresql: {{target_name: {'ü' * 32}}}",
        6,
        f"postgresql.target_name {'ü' * 32!r} is longer than 63 bytes",
    ),
    "a conflict target that is not unique": (
        "postgresql: {conflict_target: order_id}",
        "postgresql: {conflict_target: customer_id}",
        6,
        "postgresql.conflict_target (customer_id) is not unique in table orders; valid: order_id",
    ),
    "an incremental table without a watermark": (
        "extract: {mode: incremental, watermark: updated_at}",
        "extract: {mode: incremental, watermark: null}",
        6,
        "table orders is incremental and names no watermark column",
    ),
    "an incremental table that is overwritten whole": (
        "extract: {mode: full}\npostgresql: {mode: overwrite}",
        "extract: {mode: incremental}\npostgresql: {mode: overwrite}",
        7,
        "postgresql: mode overwrite replaces the whole table, but table orders is extracted incrementally: "
        "rows that did not change would be lost; write `extract: {mode: full}` or another mode",
    ),
    "an incremental table whose only partition is replaced": (
        "clickhouse: {mode: replace_partition}",
        "clickhouse: {mode: replace_partition, partition_by: null}",
        6,
        "clickhouse with engine ReplacingMergeTree: mode replace_partition replaces the whole table, but table orders "
        "is extracted incrementally: rows that did not change would be lost; write `extract: {mode: full}` or another "
        "mode",
    ),
    "a watermark that the schema lacks": (
        "extract: {watermark: created_at}",
        "extract: {watermark: create_at}",
        6,
        "extract.watermark: table orders has no column 'create_at'; did you mean 'created_at'?",
    ),
    "a watermark that has no lossless order": (
        "extract: {watermark: order_date}",
        "extract: {watermark: amount}",
        6,
        "extract.watermark: 'amount' of table orders is numeric(12,2); expected a date, a timestamp or a whole number",
    ),
    "a watermark of text": (
        "extract: {watermark: order_date}",
        "extract: {watermark: order_id}",
        6,
        "extract.watermark: 'order_id' of table orders is uuid; expected a date, a timestamp or a whole number",
    ),
    "replaced partitions of a date that transform derives": (
        "clickhouse: {mode: merge}\ntransform:\n  derive:\n    order_date: date(created_at)",
        "clickhouse: {mode: replace_partition}\ntransform:\n  derive:\n    order_date: date(created_at)",
        9,
        "transform.derive: 'order_date' is the date_column of table orders, and clickhouse replaces whole partitions "
        "(replace_partition): which ones an incremental load touches can only be asked of a column of the source; "
        "name one as date_column, write `extract: {mode: full}` or another mode",
    ),
    "replaced partitions of a date with a default": (
        "extract: {mode: full}\ns3: {format: parquet, mode: overwrite_partitions}\n"
        "transform:\n  default: {order_date: 2026-01-01}",
        "extract: {mode: incremental}\ns3: {format: parquet, mode: overwrite_partitions}\n"
        "transform:\n  default: {order_date: 2026-01-01}",
        9,
        "transform.default: 'order_date' is the date_column of table orders, and s3 replaces whole partitions "
        "(overwrite_partitions): which ones an incremental load touches can only be asked of a column of the source; "
        "name one as date_column, write `extract: {mode: full}` or another mode",
    ),
    "files that are read incrementally": (
        "extract: {mode: full}\nsource: {type: file, format: parquet, path: orders}",
        "extract: {mode: incremental}\nsource: {type: file, format: parquet, path: orders}",
        6,
        "table orders is incremental, but its files are read whole (and only when they changed); "
        "write `extract: {mode: full}`",
    ),
    "a table that the schema lacks": (
        "source: {table: orders}",
        "source: {table: order}",
        2,
        "source_schema has no table 'order' in schema 'public'; did you mean 'orders'? "
        "A table of another source needs `source: {columns: …}`",
    ),
    "a version column that the schema lacks": (
        "clickhouse: {version: updated_at}",
        "clickhouse: {version: update_at}",
        6,
        "clickhouse.version: table orders has no column 'update_at'; did you mean 'updated_at'?",
    ),
    "a numeric_as column that the schema lacks": (
        "clickhouse: {numeric_as: {amount: text}}",
        "clickhouse: {numeric_as: {amont: text}}",
        6,
        "clickhouse.numeric_as: table orders has no column 'amont'; did you mean 'amount'?",
    ),
    "a numeric_as without precision": (
        "s3: {numeric_as: text}",
        "s3: {numeric_as: numeric}",
        6,
        "s3.numeric_as: expected text or a numeric with its precision, such as numeric(38,10); found 'numeric'",
    ),
    "a numeric_as that the lake has no decimals for": (
        'clickhouse: {numeric_as: "numeric(76,38)"}',
        's3: {numeric_as: "numeric(76,38)"}',
        6,
        "s3: numeric_as numeric(76,38): its decimals have at most 38 digits; or write text",
    ),
    "an order_by column that the schema lacks": (
        "clickhouse: {order_by: [customer_id, order_id]}",
        "clickhouse: {order_by: [custmer_id, order_id]}",
        6,
        "clickhouse.order_by: table orders has no column 'custmer_id'; did you mean 'customer_id'?",
    ),
    "a TTL of a column that the schema lacks": (
        "clickhouse: {ttl: '{date_column} + INTERVAL 2 YEAR'}",
        "clickhouse: {ttl: 'order_dat + INTERVAL 2 YEAR'}",
        6,
        "clickhouse.ttl: table orders has no column 'order_dat'; did you mean 'order_date'?",
    ),
    "versions that a run's maintenance would take from their readers": (
        "s3: {maintenance: weekly, vacuum_hours: 168}",
        "s3: {maintenance: weekly, vacuum_hours: 167}",
        6,
        "s3.vacuum_hours 167: readers of an older version would fail; with s3.maintenance weekly it is "
        "168 at least (`etl lake vacuum --even-if-unsafe` takes less)",
    ),
    "a column type that PostgreSQL has not": (
        "source: {columns: {order_id: uuid, order_date: date, updated_at: timestamptz}}",
        "source: {columns: {order_id: uid, order_date: date, updated_at: timestamptz}}",
        6,
        "source.columns: unknown PostgreSQL type 'uid'; did you mean 'uuid'?",
    ),
    "CSV files without columns": (
        "extract: {mode: full}\nsource: {type: file, format: parquet, path: orders}",
        "extract: {mode: full}\nsource: {type: file, format: csv, path: orders}",
        7,
        "CSV files of table orders need `columns`: a name and type for each",
    ),
    "a file source without a format": (
        "extract: {mode: full}\nsource: {type: file, format: parquet, path: orders}",
        "extract: {mode: full}\nsource: {type: file, path: orders}",
        7,
        "source: key 'format' is missing",
    ),
    "a renamed column that is not there": (
        "transform: {rename: {amount: total}}",
        "transform: {rename: {ammount: total}}",
        6,
        "transform.rename: table orders has no column 'ammount'; did you mean 'amount'?",
    ),
    "a cast column that is not there": (
        "transform: {rename: {amount: total}, cast: {total: 'numeric(10,2)'}}",
        "transform: {rename: {amount: total}, cast: {amount: 'numeric(10,2)'}}",
        6,
        "transform.cast: table orders has no column 'amount'; "
        "valid: created_at, customer_id, order_date, order_id, total, updated_at",
    ),
    "a trimmed column that is not there": (
        "transform: {trim: [amount]}",
        "transform: {trim: [amont]}",
        6,
        "transform.trim: table orders has no column 'amont'; did you mean 'amount'?",
    ),
    "a default of a column that is not there": (
        "transform: {default: {amount: 0}}",
        "transform: {default: {amounts: 0}}",
        6,
        "transform.default: table orders has no column 'amounts'; did you mean 'amount'?",
    ),
    "a derived column of one that is not there": (
        "transform: {derive: {gross: amount * 1.19}}",
        "transform: {derive: {gross: amout * 1.19}}",
        6,
        "transform.derive.gross: table orders has no column 'amout'; did you mean 'amount'?",
    ),
    "a derived column that uses one derived below it": (
        "transform: {derive: {net: amount * 0.9, gross: net * 1.19}}",
        "transform: {derive: {gross: net * 1.19, net: amount * 0.9}}",
        6,
        "transform.derive.gross: table orders has no column 'net'; "
        "valid: amount, created_at, customer_id, order_date, order_id, updated_at",
    ),
    "a lambda's own name is no column": (
        "transform: {derive: {ids: 'transform(array(order_id), x -> upper(x))'}}",
        "transform: {derive: {ids: 'transform(array(order_ids), x -> upper(x))'}}",
        6,
        "transform.derive.ids: table orders has no column 'order_ids'; did you mean 'order_id'?",
    ),
    "a cast to an unknown type": (
        "transform: {cast: {amount: 'numeric(10, 2)'}}",
        "transform: {cast: {amount: nummeric}}",
        6,
        "transform.cast: unknown PostgreSQL type 'nummeric'; did you mean 'numeric'?",
    ),
    "a spelling without a list": (
        "transform: {allowed: {amount: ['1']}, normalize_case: amount}",
        "transform: {allowed: {amount: ['1']}, normalize_case: order_id}",
        6,
        "transform.normalize_case: 'order_id' has no list in `allowed` to be spelled after",
    ),
    "a filter that is no SQL": (
        "transform: {filter: amount > 0}",
        "transform: {filter: amount > (0}",
        6,
        "transform.filter: not an SQL expression: Expecting )",
    ),
    "a filter by a column that is not there": (
        "transform: {filter: amount > 0 AND year(order_date) > 2000}",
        "transform: {filter: amount > 0 AND year(orderdate) > 2000}",
        6,
        "transform.filter: table orders has no column 'orderdate'; did you mean 'order_date'?",
    ),
    "a rule about a column that is not there": (
        "transform: {rules: {paid: amount >= 0}}",
        "transform: {rules: {paid: amounts >= 0}}",
        6,
        "transform.rules.paid: table orders has no column 'amounts'; did you mean 'amount'?",
    ),
    "a required column that is not there": (
        "transform: {required: amount}",
        "transform: {required: amountt}",
        6,
        "transform.required: table orders has no column 'amountt'; did you mean 'amount'?",
    ),
    "allowed values of a column that is not there": (
        "transform: {allowed: {amount: ['1']}}",
        "transform: {allowed: {amounted: ['1']}}",
        6,
        "transform.allowed: table orders has no column 'amounted'; did you mean 'amount'?",
    ),
    "a deduplication by a column that is not there": (
        "transform: {deduplicate: {order_by: [updated_at desc]}}",
        "transform: {deduplicate: {order_by: [update_at desc]}}",
        6,
        "transform.deduplicate: table orders has no column 'update_at'; did you mean 'updated_at'?",
    ),
    "a hash of a column that is not there": (
        "transform: {hash: [customer_id]}",
        "transform: {hash: [customerid]}",
        6,
        "transform.hash: table orders has no column 'customerid'; did you mean 'customer_id'?",
    ),
    "a mask of a column that is not there": (
        "transform: {mask: {customer_id: all}}",
        "transform: {mask: {customerid: all}}",
        6,
        "transform.mask: table orders has no column 'customerid'; did you mean 'customer_id'?",
    ),
    "a dropped column that is not there": (
        "transform: {drop: amount}",
        "transform: {drop: amuont}",
        6,
        "transform.drop: table orders has no column 'amuont'; did you mean 'amount'?",
    ),
    "an unknown word for what is out of range": (
        "clickhouse: {out_of_range: reject_there}",
        "clickhouse: {out_of_range: reject_here}",
        6,
        "clickhouse.out_of_range: unknown value 'reject_here'; did you mean 'reject_there'?",
    ),
    "an unknown word for a column out of range": (
        "clickhouse: {out_of_range: {updated_at: clamp}}",
        "clickhouse:\n  out_of_range:\n    updated_at: clmp",
        8,
        "clickhouse.out_of_range.updated_at: unknown value 'clmp'; did you mean 'clamp'?",
    ),
    "a column out of range that is not there": (
        "clickhouse: {out_of_range: {updated_at: clamp}}",
        "clickhouse: {out_of_range: {update_at: clamp}}",
        6,
        "clickhouse.out_of_range: table orders has no column 'update_at'; did you mean 'updated_at'?",
    ),
    "a date out of range that places its row": (
        "clickhouse: {out_of_range: clamp}",
        "clickhouse: {out_of_range: {order_date: clamp}}",
        6,
        "clickhouse.out_of_range: clamp would make another row of one whose order_date it alters, a column of the key, "
        "or one that dates, orders or places rows; write reject_there",
    ),
    "a version out of range": (
        "clickhouse: {version: updated_at, out_of_range: {updated_at: reject_there}}",
        "clickhouse: {version: updated_at, out_of_range: {updated_at: set_null}}",
        6,
        "clickhouse.out_of_range: set_null would make another row of one whose updated_at it alters, a column of the "
        "key, or one that dates, orders or places rows; write reject_there",
    ),
    "a required column out of range": (
        "transform: {required: updated_at}\nclickhouse: {out_of_range: {updated_at: clamp}}",
        "transform: {required: updated_at}\nclickhouse: {out_of_range: {updated_at: set_null}}",
        7,
        "clickhouse.out_of_range: updated_at is never NULL (at the source, or by `required` or `default`); write clamp "
        "or reject_there",
    ),
    "a dropped key": (
        "transform: {drop: customer_id}",
        "transform: {drop: order_id}",
        4,
        "key: table orders has no column 'order_id'; did you mean 'order_date'?",
    ),
}


def test_a_date_column_that_transform_renames_is_one_of_the_source(folder: Folder) -> None:
    renamed = GOOD.replace("order_date", "ordered_on") + _indented(
        "clickhouse: {mode: replace_partition}\ntransform: {rename: {order_date: ordered_on}}"
    )
    assert folder.tables(renamed).faults() == []


@pytest.mark.parametrize(("good", "bad", "line", "message"), CASES.values(), ids=CASES)
def test_a_fault_beside_the_good_entry(folder: Folder, good: str, bad: str, line: int, message: str) -> None:
    assert folder.tables(GOOD + _indented(good)).faults() == []
    assert folder.tables(GOOD + _indented(bad)).faults() == [f"tables/shop.yaml:{line}: {message}"]


def _indented(lines: str) -> str:
    return "".join(f"    {line}\n" for line in lines.splitlines())


@pytest.mark.parametrize(
    ("entry", "line", "message"),
    [
        ("kind: snapshot\nkey: order_ids", 4, "key: table orders has no column 'order_ids'; did you mean 'order_id'?"),
        (
            "kind: event\nkey: order_id\ndate_column: orderdate",
            5,
            "date_column: table orders has no column 'orderdate'; did you mean 'order_date'?",
        ),
        (
            "kind: event\nkey: order_id\ndate_column: amount",
            5,
            "date_column 'amount' of table orders is numeric(12,2); expected a date or timestamp",
        ),
        ("kind: snapshop\nkey: order_id", 3, "unknown kind 'snapshop'; did you mean 'snapshot'?"),
        ("key: order_id", 2, "table orders has no kind; valid: aggregate, event, reference, snapshot"),
        (
            "kind: reference\nkey: order_id\ns3: {format: delta, partition_by: partition_date}",
            5,
            "s3.partition_by: table orders has no date_column to partition by",
        ),
        (
            "kind: reference\nkey: order_id\ntransform: {derive: {_ETL_rule: '1'}}",
            5,
            "transform.derive: '_ETL_rule' begins with _etl_, as this tool's own columns do; choose another name",
        ),
        (
            "kind: reference\nkey: order_id\ntransform: {rename: {amount: _etl_x}}",
            5,
            "transform.rename: '_etl_x' begins with _etl_, as this tool's own columns do; choose another name",
        ),
        (
            "kind: reference\nkey: order_id\nclickhouse: {partition_by: 'toYYYYMM({date_column})'}",
            5,
            "'toYYYYMM({date_column})' needs a date_column, and table orders has none",
        ),
    ],
)
def test_faults_of_the_table_itself(folder: Folder, entry: str, line: int, message: str) -> None:
    faults = folder.tables("tables:\n  orders:\n" + _indented(entry)).faults()
    assert faults == [f"tables/shop.yaml:{line}: {message}"]


def test_a_kind_that_needs_a_date_says_so_at_the_entry_and_not_in_the_product_s_own_file(folder: Folder) -> None:
    faults = folder.tables("tables:\n  orders: {kind: event, key: order_id, date_column: null}").faults()
    assert faults == ["tables/shop.yaml:2: 'toYYYYMM({date_column})' needs a date_column, and table orders has none"]


@pytest.mark.parametrize(
    ("block", "store"),
    [
        ("s3: {format: delta, mode: merge}", "s3 with format delta: mode merge"),
        ("postgresql: {mode: upsert}", "postgresql: mode upsert"),
        (
            "clickhouse: {engine: ReplacingMergeTree, mode: merge}",
            "clickhouse with engine ReplacingMergeTree: mode merge",
        ),
    ],
)
def test_merge_and_upsert_need_a_key(folder: Folder, block: str, store: str) -> None:
    others = {
        "s3": "s3: {mode: overwrite}",
        "postgresql": "postgresql: {mode: append}",
        "clickhouse": "clickhouse: {mode: append}",
    }
    others[block.split(":")[0]] = block
    entry = "kind: reference\nsource: {type: file, format: parquet, path: logs}\n" + "\n".join(others.values())
    line = entry.splitlines().index(block) + 3
    faults = folder.tables("tables:\n  logs:\n" + _indented(entry)).faults()
    assert faults == [f"tables/shop.yaml:{line}: {store} needs a key, and table logs has none"]
    entry += "\nkey: id"
    assert folder.tables("tables:\n  logs:\n" + _indented(entry)).faults() == []


def test_rows_that_are_read_twice_need_a_key(folder: Folder) -> None:
    entry = (
        "kind: event\ndate_column: created_at\n"
        "source: {columns: {line: text, created_at: timestamptz}}\n"
        "extract: {late_commits: exact}\n"
        "s3: {mode: append}\npostgresql: {mode: append}\nclickhouse: {enabled: false, order_by: line}"
    )
    found = folder.tables("tables:\n  logs:\n" + _indented(entry)).faults()
    assert [(fault.split(":")[1], "needs a key with `late_commits: exact`" in fault) for fault in found] == [
        ("7", True),
        ("8", True),
    ]
    assert folder.tables("tables:\n  logs:\n" + _indented(entry.replace("exact", "overlap"))).faults() == []
    assert folder.tables("tables:\n  logs:\n" + _indented(f"{entry}\nkey: line")).faults() == []


TWO = """\
tables:
  orders:
    kind: reference
    key: order_id
    {orders}
  customers:
    kind: reference
    key: customer_id
    {customers}
"""


@pytest.mark.parametrize(
    ("orders", "customers", "expected"),
    [
        ("s3: {path: a/b}", "s3: {path: a/c}", []),
        ("s3: {path: a/b}", "s3: {path: a/bc}", []),
        ("s3: {path: a/b}", "s3: {path: a/b, enabled: false}", []),
        (
            "s3: {path: a/b}",
            "s3: {path: a/b}",
            [
                "tables/shop.yaml:9: s3.path 'a/b' of table customers is also the path of table orders: "
                "overwriting one would delete the other"
            ],
        ),
        (
            "s3: {path: a/b/history}",
            "s3: {path: a/b}",
            [
                "tables/shop.yaml:5: s3.path 'a/b/history' of table orders lies within 'a/b', the path of table "
                "customers: overwriting one would delete the other"
            ],
        ),
        ("postgresql: {target_name: t}", "postgresql: {target_name: t, target_schema: other}", []),
        (
            "postgresql: {target_name: t}",
            "postgresql: {target_name: t}",
            ["tables/shop.yaml:9: postgresql: tables orders and customers have the same target 'public.t'"],
        ),
        ("clickhouse: {target_name: t}", "clickhouse: {target_name: T}", []),
        (
            "clickhouse: {target_name: t}",
            "clickhouse: {target_name: t}",
            ["tables/shop.yaml:9: clickhouse: tables orders and customers have the same target 't'"],
        ),
    ],
)
def test_tables_may_not_share_a_place(folder: Folder, orders: str, customers: str, expected: list[str]) -> None:
    assert folder.tables(TWO.format(orders=orders, customers=customers)).faults() == expected


def test_schemas_with_dots_are_places_of_their_own(folder: Folder) -> None:
    dotted = {
        "orders": "postgresql: {target_schema: a.b, target_name: c}",
        "customers": "postgresql: {target_schema: a, target_name: b.c}",
    }
    assert folder.tables(TWO.format(**dotted)).faults() == []


def test_the_database_of_the_server_is_one_that_an_entry_may_name(folder: Folder) -> None:
    same = {"orders": "clickhouse: {target_name: t}", "customers": "clickhouse: {target_name: t, target_database: d}"}
    folder.tables(TWO.format(**same))
    assert folder.faults({"ETL_CLICKHOUSE_URL": "https://etl:pw@ch.example.com/other"}) == []
    assert folder.faults({"ETL_CLICKHOUSE_URL": "https://etl:pw@ch.example.com/d"}) == [
        "tables/shop.yaml:9: clickhouse: tables orders and customers have the same target 'd.t'"
    ]


def test_names_that_delta_refuses(folder: Folder) -> None:
    entry = "kind: reference, key: id, source: {type: file, format: csv, path: f.csv, columns: {id: int, a b: text}}"
    delta = "s3: {format: delta, mode: merge}"
    folder.tables(f"tables:\n  one: {{{entry}}}\n  two: {{{entry}, {delta}}}\n")
    assert folder.faults() == [
        "tables/shop.yaml:3: s3: table two: format delta has no names with blanks or any of ,;{}()=, found "
        "'a b'; rename them in transform, or choose format: parquet"
    ]
    folder.tables(f"tables:\n  two: {{{entry}, {delta}, transform: {{rename: {{a b: a_b}}}}}}\n")
    assert folder.faults() == []


def _of_file(columns: str, more: str = "") -> str:
    source = f"{{type: file, format: csv, path: f.csv, columns: {{id: int, {columns}}}}}"
    return f"tables:\n  one: {{kind: reference, key: id, source: {source}{more}}}\n"


NAMES_TAKEN = {
    "the part of a column in ClickHouse": (
        "a: text, a.null: text",
        "clickhouse: table one: clickhouse takes for its own 'a.null' beside 'a', whose part it would be: "
        "rename them in transform",
    ),
    "the size of an array in ClickHouse": (
        "'a': 'int[]', a.size0: text",
        "clickhouse: table one: clickhouse takes for its own 'a.size0' beside 'a', whose part it would be: "
        "rename them in transform",
    ),
    "a nested structure of ClickHouse": (
        "n: text, n.a: 'int[]'",
        "clickhouse: table one: clickhouse takes for its own the array 'n.a', one of a nested structure 'n', whose "
        "arrays are of one length: rename them in transform",
    ),
    "a column of every table of ClickHouse": (
        "_partition_id: int",
        "clickhouse: table one: clickhouse takes for its own '_partition_id', a column that every table of the server "
        "has: rename them in transform",
    ),
    "the lake's partition column": (
        "Partition_Date: date",
        "s3: table one: Partition_Date is the name of the lake's own partition column; rename it in transform",
    ),
}


@pytest.mark.parametrize("name", NAMES_TAKEN)
def test_names_that_a_store_has_taken(folder: Folder, name: str) -> None:
    columns, message = NAMES_TAKEN[name]
    folder.tables(_of_file(columns))
    assert folder.faults() == [f"tables/shop.yaml:2: {message}"]
    store = message.split(":")[0]
    folder.tables(_of_file(columns, f", {store}: {{enabled: false}}"))
    assert folder.faults() == []
    taken = columns.rsplit(", ", 1)[-1].split(":")[0]
    for step in (f"rename: {{{taken}: other}}", f"drop: [{taken}]"):
        folder.tables(_of_file(columns, f", transform: {{{step}}}"))
        assert folder.faults() == []


def test_names_that_only_look_taken(folder: Folder) -> None:
    folder.tables(_of_file("a: text, a.size0: text, b.null: text, n.a: 'int[]', c.keys: text, c: text"))
    assert folder.faults() == []


def test_names_that_no_reader_can_tell_apart(folder: Folder) -> None:
    folder.write("schema.sql", 'CREATE TABLE t (id int PRIMARY KEY, "Name" text, name text, _etl_x int);')
    folder.tables("tables:\n  t: {kind: reference}\n")
    assert folder.faults() == [
        "tables/shop.yaml:2: table t: expected column names that differ by more than case and do not begin with _etl_, "
        "found 'Name' and 'name', which differ in case only; '_etl_x'; rename them at the source, or read the table "
        "through a view that does"
    ]


def test_more_columns_than_postgresql_takes(folder: Folder) -> None:
    def wide(columns: int) -> str:
        listed = ", ".join(f"c{place} int" for place in range(1, columns))
        return f"CREATE TABLE wide (id int PRIMARY KEY, {listed});"

    folder.tables("tables:\n  wide: {kind: reference}\n").write("schema.sql", wide(1_596))
    assert folder.faults() == []
    folder.write("schema.sql", wide(1_597))
    assert folder.faults() == [
        "tables/shop.yaml:2: postgresql: table wide: postgresql takes at most 1,596 columns (a table has 1,600, and "
        "the staging table four of our own), found 1,597; drop some in transform, or write "
        "`postgresql: {enabled: false}`"
    ]
    folder.tables("tables:\n  wide: {kind: reference, transform: {drop: c7}}\n")
    assert folder.faults() == []


def test_a_table_is_given_once_among_all_files(folder: Folder) -> None:
    folder.tables(GOOD).write("tables/zoo.yaml", "tables:\n  orders: {kind: reference}\n")
    assert folder.faults() == [
        f"tables/zoo.yaml:2: table 'orders' is already given in {folder.path}/tables/shop.yaml:2".replace(
            f"{folder.path}/", ""
        )
    ]


def test_all_faults_of_all_files_at_once(folder: Folder) -> None:
    folder.write("etl.yaml", "source_schema: schema.sql\nrnu: {}\nrun:\n  parallelism: 0\n")
    folder.tables(
        """\
        tabels: {}
        tables:
          orders:
            kind: snapshot
            key: order_idd
            date_column: order_date
            s3: {mode: mergee}
          customers:
            kind: reference
            kind: event
            clickhouse: {engine: Log}
        """
    ).write("tables/more.yaml", "defaults: {kind: refrence}\ntables:\n  a-b:\n  'c d': {}\n")
    assert folder.faults({"ETL_CLICKHOUSE_URL": "tcp://somewhere:9000"}) == [
        "etl.yaml:2: unknown key 'rnu'; did you mean 'run'?",
        "etl.yaml:4: run: parallelism: should be greater than or equal to 1; found 0",
        "tables/more.yaml:1: unknown kind 'refrence'; did you mean 'reference'?",
        "tables/more.yaml:4: table name 'c d': expected letters, digits, `_`, `$`, `-`",
        "tables/shop.yaml:1: unknown key 'tabels'; did you mean 'tables'?",
        "tables/shop.yaml:7: s3.mode: unknown value 'mergee'; did you mean 'merge'?",
        "tables/shop.yaml:10: key 'kind' is already given in line 9",
        "tables/shop.yaml:11: clickhouse.engine: unknown value 'Log'; valid: MergeTree, ReplacingMergeTree",
        "environment: ETL_CLICKHOUSE_URL: the URL must begin with http:// or https://",
    ]


def test_a_fault_of_shared_defaults_is_said_once(folder: Folder) -> None:
    folder.tables(
        dedent(
            """\
            defaults:
              kind: reference
              s3: {compression: zip}
            tables:
              orders: {key: order_id}
              customers: {key: customer_id}
            """
        )
    )
    assert folder.faults() == ["tables/shop.yaml:3: s3.compression: unknown value 'zip'; did you mean 'gzip'?"]


def test_a_value_from_a_variable_is_never_repeated(folder: Folder) -> None:
    faults = folder.tables(GOOD + "    s3: {compression: '${SECRET}'}\n").faults({"SECRET": "hunter2"})
    assert faults == [
        "tables/shop.yaml:6: s3.compression: unknown value (from a variable); valid: gzip, none, snappy, zstd"
    ]


@pytest.mark.parametrize(
    ("etl", "expected"),
    [
        (
            "source_schema: nowhere.sql",
            "etl.yaml:1: source_schema 'nowhere.sql' does not exist; looked for nowhere.sql",
        ),
        ("kinds: {evnt: {}}", "etl.yaml:1: unknown key 'evnt' in kinds; did you mean 'event'?"),
        ("kinds: {event: {extrac: {}}}", "etl.yaml:1: unknown key 'extrac' in kinds.event; did you mean 'extract'?"),
        ("defaults: {s3: {pth: x}}", "etl.yaml:1: unknown key 'pth' in s3; did you mean 'path'?"),
        ("run: {paralelism: 2}", "etl.yaml:1: run: unknown key 'paralelism'; did you mean 'parallelism'?"),
    ],
)
def test_faults_of_etl_yaml(folder: Folder, etl: str, expected: str) -> None:
    assert folder.tables(GOOD).write("etl.yaml", etl + "\n").faults() == [expected]


def test_a_folder_without_tables(folder: Folder) -> None:
    assert folder.faults() == ["tables: expected at least one *.yaml file of tables"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tables: [orders]", "tables/shop.yaml:1: tables must be a mapping of names to entries"),
        ("kinds: [event]\n" + GOOD, "tables/shop.yaml:1: kinds must be a mapping of kinds"),
        ("defaults: event\n" + GOOD, "tables/shop.yaml:1: defaults must be a mapping of keys"),
        ("domain: [a]\n" + GOOD, "tables/shop.yaml:1: domain: expected a name; found ['a']"),
        ("tables: {orders: whole}", "tables/shop.yaml:1: orders must be a mapping of keys"),
    ],
)
def test_what_must_be_a_mapping(folder: Folder, text: str, expected: str) -> None:
    assert expected in folder.tables(text).faults()


def test_two_tables_whose_default_paths_are_equal(folder: Folder) -> None:
    source = "key: id, source: {type: file, format: json, path: x}"
    folder.tables(f"defaults: {{kind: reference}}\ntables:\n  a: {{{source}}}\n  shop_a: {{{source}}}\n")
    assert folder.faults() == [
        "tables/shop.yaml:4: s3.path 'shop/a' of table shop_a is also the path of table a: "
        "overwriting one would delete the other"
    ]


FULL = """\
domain: shop
defaults: {s3: {compression: gzip}}
kinds: {event: {s3: {vacuum_hours: 200}}}
tables:
  orders:
    kind: snapshot
    key: order_id
    date_column: order_date
    source: {table: orders}
    extract: {mode: incremental, watermark: updated_at}
    transform:
      rename: {amount: total}
      derive: {net: total * 0.81}
      deduplicate: {order_by: updated_at desc}
    s3: {path: a/b, partition_by: partition_date}
    postgresql: {mode: upsert, conflict_target: order_id}
    clickhouse: {engine: ReplacingMergeTree, ttl: order_date + INTERVAL 1 DAY}
"""
VALUES = [line.rsplit(": ", 1) for line in FULL.splitlines() if ": " in line]


@pytest.mark.parametrize("odd", ["", "null", "[]", "{}", "0", "-1.5", "true", "[[1]]", "{a: {b: null}}", "'{x}'", "ü"])
def test_whatever_stands_in_a_place_is_told_as_a_fault_or_taken(folder: Folder, odd: str) -> None:
    """Never another error: `faults` lets all but ConfigurationError pass."""
    assert folder.tables(FULL).faults() == []
    spoiled = [FULL.replace(": ".join(pair), f"{pair[0]}: {odd}{'}' * _unclosed(pair)}") for pair in VALUES]
    assert FULL not in spoiled
    assert any(folder.tables(text).faults() for text in spoiled)


def _unclosed(pair: list[str]) -> int:
    return pair[0].count("{") - pair[0].count("}")
