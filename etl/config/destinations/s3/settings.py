"""Where the bucket is."""

from __future__ import annotations

from pydantic import Field, SecretStr

from etl.config.frozen import FrozenModel
from etl.model import Dataset


class S3Settings(FrozenModel):
    """One bucket. `endpoint` is None for AWS itself."""

    endpoint: str | None = None
    bucket: str
    prefix: str = "data-lake"
    region: str = "us-east-1"
    access_key: SecretStr | None = None
    secret_key: SecretStr | None = None
    session_token: SecretStr | None = None
    verify: bool = True
    ca_file: str | None = None
    path_style: bool = True
    timeout_seconds: int = Field(default=60, ge=1)

    @property
    def uses_tls(self) -> bool:
        return self.endpoint is None or self.endpoint.startswith("https://")

    def folder(self, path: str) -> str:
        """Where a table of this path stands in the bucket, without a slash at its ends."""
        parts = [part.strip("/") for part in (self.prefix, path)]
        return "/".join(part for part in parts if part)

    def dataset(self, path: str) -> Dataset:
        return Dataset(f"s3://{self.bucket}", self.folder(path))
