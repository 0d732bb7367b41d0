"""What the routes answer with: the configured jobs and the staging database."""

from __future__ import annotations

from dataclasses import dataclass

from etl.config.staging.jobs import StagingConfiguration
from etl.staging.database.database import StagingDatabase, Timeouts

CONNECTIONS = 12
TIMEOUTS = Timeouts(statement=15, lock=5, pool=10)
"""Somebody waits before a screen."""


@dataclass(frozen=True)
class Services:
    configuration: StagingConfiguration
    database: StagingDatabase

    @classmethod
    def of(cls, configuration: StagingConfiguration) -> Services:
        database = StagingDatabase(configuration.database, configuration.schema_name, CONNECTIONS, TIMEOUTS)
        return cls(configuration, database)

    def close(self) -> None:
        self.database.close()
