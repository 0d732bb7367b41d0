"""Where a table stands in the lake: s3a://{bucket}/data-lake/{path}/partition_date=YYYY-MM-DD/."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import date

from etl.config.destinations.s3.load_config import S3TableLoadConfig
from etl.config.destinations.s3.settings import S3Settings
from etl.model import PARTITION_DATE

METADATA_FOLDER = "_etl"
"""Beside the data; Spark, Delta's vacuum and other readers pass over names that begin with an underscore."""

_PARTITION = re.compile(rf"{PARTITION_DATE}=(\d{{4,6}}-\d{{2}}-\d{{2}})/")
_OWN_FILE = re.compile(r"part-\d{5}-(?P<run>[0-9a-f]{12})-\d+-\d+\.[a-z.]+$")


def get_s3_path(settings: S3Settings, table: S3TableLoadConfig, partition_date: date | None = None) -> str:
    """The URI of the table, or of one of its days; ends with a slash."""
    return f"s3a://{settings.bucket}/{TablePath.of(settings, table).partition_prefix(partition_date)}"


@dataclass(frozen=True)
class TablePath:
    """The keys of one table. `prefix` ends with a slash and is what every listing and deletion starts from, so that
    `customer/events` never touches `customer/events_archive`.
    """

    bucket: str
    prefix: str

    @classmethod
    def of(cls, settings: S3Settings, table: S3TableLoadConfig) -> TablePath:
        return cls(settings.bucket, settings.folder(table.path) + "/")

    @property
    def uri(self) -> str:
        return f"s3a://{self.bucket}/{self.prefix.rstrip('/')}"

    @property
    def manifest_key(self) -> str:
        return f"{self.prefix}{METADATA_FOLDER}/manifest.json"

    @property
    def intent_prefix(self) -> str:
        return f"{self.prefix}{METADATA_FOLDER}/publishing/"

    @property
    def delta_log_prefix(self) -> str:
        return f"{self.prefix}_delta_log/"

    def load_key(self, run_id: str) -> str:
        return f"{self.prefix}{METADATA_FOLDER}/loads/{run_id}.json"

    def key_uri(self, key: str) -> str:
        return f"s3a://{self.bucket}/{key}"

    def partition_prefix(self, partition_date: date | None) -> str:
        return f"{self.prefix}{PARTITION_DATE}={partition_date.isoformat()}/" if partition_date else self.prefix

    def is_data(self, key: str) -> bool:
        """Whether a reader of the table sees this key: no folder or name below the prefix begins with `_` or `.`."""
        below = key.removeprefix(self.prefix)
        return bool(below) and not any(part.startswith(("_", ".")) or not part for part in below.split("/"))


def partition_date_of(key: str) -> date | None:
    """The day a key belongs to; None where it lies in no partition (or one no calendar of ours has)."""
    match = _PARTITION.search(key)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None


def run_hash(run_id: str) -> str:
    """Twelve hexadecimal digits that stand for a run in file names."""
    return hashlib.sha256(run_id.encode()).hexdigest()[:12]


def file_name(part: int, run: str, attempt: int, number: int, extension: str) -> str:
    return f"part-{part:05d}-{run}-{attempt}-{number}.{extension}"


def run_of_file(key: str) -> str | None:
    """The run hash in a name that this loader gave; None for anyone else's file."""
    match = _OWN_FILE.search(key)
    return match["run"] if match else None
