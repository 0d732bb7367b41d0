from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from tests.conftest import RunningStack
from tests.faults.world import World
from tests.integration.pipeline.conftest import Stores, shop_on


@pytest.fixture
def world(stack: RunningStack, spark: SparkSession, tmp_path: Path) -> Iterator[World]:
    folder = tmp_path / "shop"
    folder.mkdir()
    with shop_on(stack, folder) as shop:
        stores = Stores(shop, spark, stack)
        world = World(stores, stack, tmp_path)
        try:
            world.begin()
            yield world
        finally:
            stores.drop()
