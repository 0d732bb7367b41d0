"""How defaults, templates and files become the configuration of a table."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from etl.config.configuration import Configuration, get_table_load_config
from etl.config.destinations.clickhouse.load_config import ClickHouseTableLoadConfig
from etl.config.destinations.postgresql.load_config import PostgreSQLTableLoadConfig
from etl.config.destinations.registry import parse_destination
from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.tables.models import Deduplicate, FileFormat, FileSource, OrderColumn, PostgreSQLSource, TransformConfig
from etl.errors import UsageError
from etl.model import ColumnDefinition, ConflictResolution, Destination, ForeignKey, TableDefinition, WriteMode
from tests.unit.config.conftest import Folder

SHOP = """\
tables:
  orders: {kind: snapshot, key: order_id, date_column: order_date}
  customers: {kind: reference}
"""


@pytest.fixture
def shop(folder: Folder) -> Configuration:
    return folder.tables(SHOP).load()


def s3_of(configuration: Configuration, table: str) -> S3TableLoadConfig:
    load = configuration.get_table_load_config(table, Destination.S3)
    assert isinstance(load, S3TableLoadConfig)
    return load


def test_an_entry_states_only_what_differs_from_its_kind(shop: Configuration) -> None:
    orders = shop.tables["orders"]
    assert orders.source == PostgreSQLSource(table="orders")
    assert (orders.extract.mode, orders.extract.watermark) == ("incremental", "updated_at")
    assert s3_of(shop, "orders") == S3TableLoadConfig(
        table_name="orders",
        key=("order_id",),
        mode=WriteMode.MERGE,
        date_column="order_date",
        maximum_deleted="50%",
        maximum_rejected="50%",
        path="shop/orders",
        format="delta",
        partition_by=("partition_date",),
    )
    assert shop.get_table_load_config("orders", "postgres") == PostgreSQLTableLoadConfig(
        table_name="orders",
        key=("order_id",),
        mode=WriteMode.UPSERT,
        date_column="order_date",
        maximum_deleted="50%",
        maximum_rejected="50%",
        target_name="orders",
        conflict_target=("order_id",),
    )
    assert get_table_load_config("orders", "ch", shop) == ClickHouseTableLoadConfig(
        table_name="orders",
        key=("order_id",),
        mode=WriteMode.MERGE,
        date_column="order_date",
        maximum_deleted="50%",
        maximum_rejected="50%",
        target_name="orders",
        engine="ReplacingMergeTree",
        partition_by=("toYYYYMM(order_date)",),
        order_by=("order_id",),
    )


def test_a_table_without_a_key_has_the_primary_key_of_its_source(shop: Configuration) -> None:
    assert shop.tables["customers"].key == ("customer_id",)
    assert {load.key for load in shop.tables["customers"].loads.values()} == {("customer_id",)}


def test_defaults_are_laid_in_order_of_nearness(folder: Folder) -> None:
    folder.write(
        "etl.yaml",
        """\
        source_schema: schema.sql
        defaults: {s3: {compression: gzip, target_file_size_mb: 1}, schema_contract: freeze}
        kinds: {snapshot: {s3: {target_file_size_mb: 2, vacuum_hours: 200}}}
        """,
    )
    folder.tables(
        """\
        domain: sales
        defaults: {kind: snapshot, s3: {vacuum_hours: 300, retention_days: 9, path: "{domain}/x/{table}"}}
        kinds: {snapshot: {s3: {retention_days: 10}}}
        tables:
          orders: {date_column: order_date, s3: {compression: none}, postgresql: {schema_contract: evolve}}
          customers: {}
        """
    )
    configuration = folder.load()
    orders, customers = s3_of(configuration, "orders"), s3_of(configuration, "customers")
    assert (orders.compression, customers.compression) == ("none", "gzip")
    assert {(load.target_file_size_mb, load.vacuum_hours, load.retention_days) for load in (orders, customers)} == {
        (2, 300, 10)
    }
    assert (orders.path, customers.path) == ("sales/x/orders", "sales/x/customers")
    contracts = {d: load.schema_contract for d, load in configuration.tables["orders"].loads.items()}
    assert contracts == {"s3": "freeze", "postgresql": "evolve", "clickhouse": "freeze"}


def test_null_takes_a_default_back(folder: Folder) -> None:
    folder.tables("tables:\n  orders: {kind: snapshot, date_column: order_date, s3: {partition_by: null}}\n")
    assert s3_of(folder.load(), "orders").partition_by == ()


def test_what_an_entry_says_once_holds_for_all_destinations(folder: Folder) -> None:
    folder.tables(
        "tables:\n  customers:\n    kind: reference\n    conflict_resolution: skip\n    enabled: false\n"
        "    clickhouse: {enabled: true, conflict_resolution: error}\n"
    )
    loads = folder.load().tables["customers"].loads
    assert {d: (load.enabled, load.conflict_resolution) for d, load in loads.items()} == {
        Destination.S3: (False, ConflictResolution.SKIP),
        Destination.POSTGRESQL: (False, ConflictResolution.SKIP),
        Destination.CLICKHOUSE: (True, ConflictResolution.ERROR),
    }


def test_json_files_are_gzipped_where_nobody_says_otherwise(folder: Folder) -> None:
    folder.tables("tables:\n  orders: {kind: reference, s3: {format: json}}\n  customers: {kind: reference}\n")
    lakes = [folder.load().get_table_load_config(name, "s3") for name in ("orders", "customers")]
    assert [lake.compression for lake in lakes if isinstance(lake, S3TableLoadConfig)] == ["gzip", "zstd"]


def test_a_full_table_follows_no_watermark(folder: Folder) -> None:
    folder.tables("tables:\n  orders: {kind: snapshot, date_column: order_date, extract: {mode: full}}\n")
    assert folder.load().tables["orders"].extract.watermark is None


def test_the_short_name_drops_the_domain_s_prefix(folder: Folder) -> None:
    folder.tables("tables:\n  shop_log: {kind: reference, source: {type: file, format: json, path: x}, key: id}\n")
    assert s3_of(folder.load(), "shop_log").path == "shop/log"


def test_transform_is_read_as_written(folder: Folder) -> None:
    folder.tables(
        """\
        tables:
          orders:
            kind: snapshot
            date_column: order_date
            transform:
              rename: {amount: total}
              trim: false
              cast: {total: "decimal(10, 2)"}
              default: {total: 0}
              derive: {day: "date_trunc('day', order_date)"}
              drop: customer_id
              deduplicate: {order_by: [updated_at, created_at asc, {column: total, descending: false}]}
              options: {limits: [1, 2.5], deep: {a: null}}
        """
    )
    assert folder.load().tables["orders"].transform == TransformConfig(
        rename={"amount": "total"},
        trim=False,
        cast={"total": "numeric(10,2)"},
        default={"total": 0},
        derive={"day": "date_trunc('day', order_date)"},
        drop=("customer_id",),
        deduplicate=Deduplicate(
            order_by=(
                OrderColumn(column="updated_at"),
                OrderColumn(column="created_at", descending=False),
                OrderColumn(column="total", descending=False),
            )
        ),
        options={"limits": [1, 2.5], "deep": {"a": None}},
    )


def test_file_tables(folder: Folder) -> None:
    folder.tables(
        """\
        defaults: {kind: reference, source: {type: file, format: csv, path: "data/{table}.csv"}}
        tables:
          local: {key: id, source: {columns: {id: int, name: varchar(20)}}}
          remote: {key: id, source: {format: parquet, path: "s3a://other/${FOLDER}/*.parquet"}}
        """
    )
    configuration = folder.load({"FOLDER": "in"})
    assert configuration.tables["local"].source == FileSource(
        format=FileFormat.CSV,
        path=str(folder.path / "data/local.csv"),
        columns={"id": "integer", "name": "character varying(20)"},
    )
    remote = configuration.tables["remote"].source
    assert isinstance(remote, FileSource)
    assert remote.path == "s3a://other/in/*.parquet"
    assert dict(configuration.definitions) == {
        "local": TableDefinition(
            name="local",
            columns=(
                ColumnDefinition("id", "integer", nullable=False),
                ColumnDefinition("name", "character varying(20)"),
            ),
            primary_key=("id",),
        )
    }
    assert configuration.tables["remote"].definition is None


def test_a_relative_path_starts_at_the_configuration_s_folder(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.tables("tables:\n  a: {kind: reference, key: k, source: {type: file, format: json, path: ../in/a.json}}\n")
    monkeypatch.chdir(folder.path.parent)
    configuration = Folder(Path(folder.path.name)).load()
    source = configuration.tables["a"].source
    assert isinstance(source, FileSource)
    assert source.path == str(folder.path.parent / "in/a.json")


def test_definitions_bear_the_tables_own_names(folder: Folder) -> None:
    folder.tables(
        "defaults: {kind: reference}\ntables:\n"
        "  clients: {source: {table: customers}}\n  purchases: {source: {table: orders}}\n"
    )
    definition = folder.load().definitions["purchases"]
    assert definition.name == "purchases"
    assert definition.foreign_keys == (ForeignKey(("customer_id",), "clients", ("customer_id",)),)


def test_without_an_offline_schema_columns_are_for_the_run_to_check(folder: Folder) -> None:
    configuration = folder.write("etl.yaml", "").tables("tables:\n  t: {kind: snapshot, key: anything}\n").load()
    assert dict(configuration.definitions) == {}


def test_a_table_outside_the_offline_schema_states_its_columns(folder: Folder) -> None:
    folder.tables(
        "tables:\n  t: {kind: snapshot, key: id, source: {table: elsewhere, columns: "
        "{id: int, created_at: timestamptz, updated_at: timestamptz}}}\n"
    )
    assert folder.load().definitions["t"].column_names == ("id", "created_at", "updated_at")


@pytest.mark.parametrize(
    ("tables", "domains", "exclude", "selected"),
    [
        ((), (), (), ["orders", "customers", "zebras"]),
        (("zebras", "orders"), (), (), ["orders", "zebras"]),
        ((), ("zoo",), (), ["zebras"]),
        (("orders",), ("zoo",), (), ["orders", "zebras"]),
        ((), (), ("orders",), ["customers", "zebras"]),
        ((), ("shop",), ("customers",), ["orders"]),
    ],
)
def test_selection(
    folder: Folder, tables: tuple[str, ...], domains: tuple[str, ...], exclude: tuple[str, ...], selected: list[str]
) -> None:
    zoo = "tables:\n  zebras: {kind: reference, key: id, source: {type: file, format: json, path: z}}\n"
    configuration = folder.tables(SHOP).write("tables/zoo.yaml", zoo).load()
    assert [table.name for table in configuration.select(tables, domains, exclude)] == selected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tables": ["order"]}, "unknown table 'order'; did you mean 'orders'?"),
        ({"exclude": ["costumers"]}, "unknown table 'costumers'; did you mean 'customers'?"),
        ({"domains": ["shp"]}, "unknown domain 'shp'; did you mean 'shop'?"),
    ],
)
def test_an_unknown_selection_is_refused(shop: Configuration, arguments: dict[str, list[str]], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        shop.select(**arguments)
    assert refused.value.message == message


def test_destinations_have_other_names() -> None:
    names = ("s3", "minio", "postgresql", "postgres", "clickhouse", "ch", Destination.S3, "S3", "PostgreSQL", "CH")
    assert [parse_destination(name) for name in names] == [
        "s3",
        "s3",
        "postgresql",
        "postgresql",
        "clickhouse",
        "clickhouse",
        "s3",
        "s3",
        "postgresql",
        "clickhouse",
    ]
    with pytest.raises(UsageError, match=r"unknown destination 'Postgre'; did you mean 'postgres'?"):
        parse_destination("Postgre")


def test_the_configuration_is_frozen(shop: Configuration) -> None:
    with pytest.raises(FrozenInstanceError):
        shop.settings = shop.settings  # type: ignore[misc]
    with pytest.raises(TypeError):
        shop.tables["more"] = shop.tables["orders"]  # type: ignore[index]


def test_the_load_config_of_the_default_folder() -> None:
    load = get_table_load_config("customer_events", "s3")
    assert isinstance(load, S3TableLoadConfig)
    assert load.path == "customer/events"
