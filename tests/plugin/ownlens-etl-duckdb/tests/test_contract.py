"""DuckDB keeps what every loader of ownlens-etl promises."""

from __future__ import annotations

import pytest
from stores import DUCKDB

from etl.testing.contract import LoaderContract
from etl.testing.store import Store


class TestDuckDB(LoaderContract):
    @pytest.fixture
    def store(self) -> Store:
        return DUCKDB
