from etl.statements.clickhouse.tables import (
    VERSION_COLUMN,
    ColumnShape,
    TableShape,
    add_column,
    attach_partitions,
    clone_table,
    create_table,
    drop_tables,
    exchange_tables,
    insert_arrow,
    modify_column,
    rename_table,
    replace_partitions,
    set_comment,
    staging_shape,
)

SHAPE = TableShape(
    columns=(
        ColumnShape("id", "String", codec="CODEC(LZ4)"),
        ColumnShape("od`d", "Nullable(Int32)"),
        ColumnShape(VERSION_COLUMN, "UInt64", "MATERIALIZED 0"),
    ),
    engine="ReplacingMergeTree",
    order_by="`id`",
    partition_by="toYYYYMM(day)",
    primary_key="`id`",
    version=VERSION_COLUMN,
    ttl="day + toIntervalDay(90)",
    settings=("allow_nullable_key = 1",),
    indices=("kinds kind TYPE set(10) GRANULARITY 2",),
)


def test_create_table_says_everything() -> None:
    assert create_table("db", "t", SHAPE) == (
        "CREATE TABLE `db`.`t`\n"
        "(\n"
        "    `id` String CODEC(LZ4),\n"
        "    `od\\`d` Nullable(Int32),\n"
        "    `_etl_version` UInt64 MATERIALIZED 0,\n"
        "    INDEX kinds kind TYPE set(10) GRANULARITY 2\n"
        ")\n"
        "ENGINE = ReplacingMergeTree(`_etl_version`)\n"
        "PARTITION BY toYYYYMM(day)\n"
        "PRIMARY KEY (`id`)\n"
        "ORDER BY (`id`)\n"
        "TTL day + toIntervalDay(90)\n"
        "SETTINGS allow_nullable_key = 1"
    )


def test_create_table_leaves_out_what_there_is_none_of() -> None:
    bare = TableShape((ColumnShape("id", "String"),), "MergeTree", order_by="")
    assert create_table("db", "t", bare, if_not_exists=True) == (
        "CREATE TABLE IF NOT EXISTS `db`.`t`\n(\n    `id` String\n)\nENGINE = MergeTree\nORDER BY tuple()"
    )


def test_staging_is_a_plain_merge_tree_without_merges_that_writes_the_runs_version() -> None:
    staging = staging_shape(SHAPE, 7)

    assert staging.engine == "MergeTree"
    assert staging.version == ""
    assert staging.columns[-1] == ColumnShape(VERSION_COLUMN, "UInt64", "MATERIALIZED 7")
    assert staging.columns[:-1] == SHAPE.columns[:-1]
    assert staging.settings == (
        "allow_nullable_key = 1",
        "ratio_of_defaults_for_sparse_serialization = 1",
        "max_bytes_to_merge_at_max_space_in_pool = 1",
        "max_number_of_merges_with_ttl_in_pool = 0",
    )
    assert (staging.partition_by, staging.order_by, staging.primary_key, staging.ttl, staging.indices) == (
        SHAPE.partition_by,
        SHAPE.order_by,
        SHAPE.primary_key,
        SHAPE.ttl,
        SHAPE.indices,
    )


def test_statements_that_move_tables_and_partitions() -> None:
    assert clone_table("db", "n", "t") == "CREATE TABLE `db`.`n` CLONE AS `db`.`t`"
    assert attach_partitions("db", "n", ["a", "b"]) == (
        "ALTER TABLE `db`.`n` ATTACH PARTITION ALL FROM `db`.`a`, ATTACH PARTITION ALL FROM `db`.`b`"
    )
    assert replace_partitions("db", "n", "s", ["202501", "x'y"]) == (
        "ALTER TABLE `db`.`n` REPLACE PARTITION ID '202501' FROM `db`.`s`, REPLACE PARTITION ID 'x\\'y' FROM `db`.`s`"
    )
    assert set_comment("db", "n", "it's {}") == "ALTER TABLE `db`.`n` MODIFY COMMENT 'it\\'s {}'"
    assert exchange_tables("db", "n", "t") == "EXCHANGE TABLES `db`.`n` AND `db`.`t`"
    assert rename_table("db", "n", "t") == "RENAME TABLE `db`.`n` TO `db`.`t`"
    assert drop_tables("db", ["a", "b"]) == "DROP TABLE IF EXISTS `db`.`a`, `db`.`b`"


def test_statements_about_columns_and_rows() -> None:
    assert add_column("db", "n", ColumnShape("a", "Nullable(String)", codec="CODEC(LZ4)")) == (
        "ALTER TABLE `db`.`n` ADD COLUMN `a` Nullable(String) CODEC(LZ4)"
    )
    assert modify_column("db", "n", "a", "Int64") == "ALTER TABLE `db`.`n` MODIFY COLUMN `a` Int64"
    assert insert_arrow("db", "s", ["a", "b c"]) == "INSERT INTO `db`.`s` (`a`, `b c`) FORMAT ArrowStream"
