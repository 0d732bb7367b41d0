"""What the server's catalog says. Values are bound as query parameters ({database:String}, {table:String}, …)."""

from __future__ import annotations

_STATE = """(
    SELECT toString(sipHash64(arraySort(groupArray(state))))
    FROM (
        SELECT (partition_id, max(max_block_number), max(data_version)) AS state
        FROM system.parts
        WHERE database = {database:String} AND table = {table:String} AND active AND rows > 0
        GROUP BY partition_id
    )
)"""
"""Without parts whose every row has expired or was deleted: the server takes them away some time later, by itself."""

DESCRIBE_TABLE = f"""SELECT
    engine, engine_full, partition_key, sorting_key, primary_key, comment, storage_policy,
    ifNull(total_rows, 0),
    (
        SELECT groupArray((name, type, default_kind, default_expression, compression_codec))
        FROM (
            SELECT * FROM system.columns
            WHERE database = {{database:String}} AND table = {{table:String}} ORDER BY position
        )
    ),
    (
        SELECT groupArray(concat(name, ' ', expr, ' TYPE ', type_full, ' GRANULARITY ', toString(granularity)))
        FROM system.data_skipping_indices WHERE database = {{database:String}} AND table = {{table:String}}
    ),
    {_STATE}
FROM system.tables
WHERE database = {{database:String}} AND name = {{table:String}}"""

TABLE_STATE = f"SELECT {_STATE}"
"""One number that changes when anybody inserts into, deletes from or mutates the table, and stays through merges."""

TABLE_COMMENT = """SELECT comment FROM system.tables WHERE database = {database:String} AND name = {table:String}"""

DATABASE_ENGINE = "SELECT engine FROM system.databases WHERE name = {database:String}"

TABLES_WITH_PREFIX = """SELECT name FROM system.tables
WHERE database = {database:String} AND startsWith(name, {prefix:String})
ORDER BY name"""

TABLE_NAMES = "SELECT name FROM system.tables WHERE database = {database:String}"
