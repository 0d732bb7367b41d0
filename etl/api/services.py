"""What the routes answer with: the configured jobs, the staging database, and who watches it."""

from __future__ import annotations

from dataclasses import dataclass

from etl.api.configured import ConfiguredJobs, KeptConfiguration
from etl.api.live.burials import Burials
from etl.api.live.hub import Hub
from etl.api.seats import Seats
from etl.config.page import PageSettings
from etl.staging.database.database import StagingDatabase, Timeouts

CONNECTIONS = 12
TIMEOUTS = Timeouts(statement=15, lock=5, pool=10)
"""Somebody waits before a screen."""
DOWNLOADS, DOWNLOADS_OF_ONE_USER = 8, 4
"""At once, each with a connection for itself, which some hold as long as their reader takes."""
TIMEOUTS_OF_DOWNLOADS = Timeouts(statement=300, lock=5, pool=10)


@dataclass(frozen=True)
class Services:
    configuration: KeptConfiguration
    page: PageSettings
    database: StagingDatabase
    downloads: StagingDatabase
    seats: Seats
    hub: Hub
    burials: Burials

    @classmethod
    def of(cls, configuration: KeptConfiguration, page: PageSettings) -> Services:
        beginning = configuration.now().configuration
        server, schema = beginning.database, beginning.schema_name
        return cls(
            configuration,
            page,
            StagingDatabase(server, schema, CONNECTIONS, TIMEOUTS),
            StagingDatabase(server, schema, DOWNLOADS, TIMEOUTS_OF_DOWNLOADS),
            Seats(DOWNLOADS, DOWNLOADS_OF_ONE_USER),
            Hub(StagingDatabase(server, schema, 1, TIMEOUTS)),
            Burials(StagingDatabase(server, schema, 1, TIMEOUTS)),
        )

    @property
    def configured(self) -> ConfiguredJobs:
        return self.configuration.now()

    def close(self) -> None:
        self.burials.close()
        self.hub.close()
        self.database.close()
        self.downloads.close()
