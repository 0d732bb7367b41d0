"""The suite that every loader passes (etl/testing/contract.py), on the stores of this house."""

from __future__ import annotations

import pytest

from etl.config.settings import Settings
from etl.testing.contract import LoaderContract
from etl.testing.store import Store
from tests.conftest import RunningStack
from tests.contract.stores import STORES


@pytest.mark.stack
class TestLoaders(LoaderContract):
    @pytest.fixture(params=list(STORES))
    def store(self, request: pytest.FixtureRequest) -> Store:
        return STORES[request.param]

    @pytest.fixture
    def settings(self, stack: RunningStack) -> Settings:
        return stack.settings
