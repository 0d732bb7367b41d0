"""The lake as a destination, in one value."""

from __future__ import annotations

from pathlib import Path

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.destinations.s3.rules import path_collisions, refused_columns, table_faults
from etl.config.destinations.s3.server import read_server
from etl.config.destinations.spec import DestinationSpec
from etl.model import Destination

S3 = DestinationSpec(
    name=Destination.S3,
    load_config=S3TableLoadConfig,
    kinds=Path(__file__).with_name("kinds.yaml"),
    loader="etl.load.s3.loader:S3Loader",
    read_server=read_server,
    aliases=("minio",),
    table_faults=table_faults,
    refused_columns=refused_columns,
    common_faults=path_collisions,
    dataset=lambda server, load: server.dataset(load.path),
)
