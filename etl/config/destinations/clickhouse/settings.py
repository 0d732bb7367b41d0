"""Where ClickHouse is."""

from __future__ import annotations

from urllib.parse import quote

from pydantic import Field, SecretStr

from etl.config.frozen import FrozenModel
from etl.config.urls import bracketed
from etl.model import Dataset


class ClickHouseSettings(FrozenModel):
    """One ClickHouse database over HTTP(S)."""

    host: str
    port: int = Field(default=8123, ge=1, le=65535)
    user: str = "default"
    password: SecretStr = SecretStr("")
    database: str = "default"
    secure: bool = False
    verify: bool = True
    ca_file: str | None = None
    timeout_seconds: int = Field(default=300, ge=1)

    @property
    def address(self) -> str:
        scheme = "https" if self.secure else "http"
        return f"{scheme}://{bracketed(self.host)}:{self.port}/{quote(self.database, safe='')}"

    def dataset(self, database: str | None, table: str) -> Dataset:
        return Dataset(f"clickhouse://{bracketed(self.host)}:{self.port}", f"{database or self.database}.{table}")
