"""The jobs that can be started, as conf/staging has them now: what changes there shows without a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import structlog

from etl.config.staging.jobs import StagingConfiguration, load_staging_configuration
from etl.config.staging.models import StagingJob
from etl.errors import EtlError
from etl.redaction import redact

LOOK_SECONDS = 1.0
"""Between two looks at the files."""
LOOK_SECONDS_OF_BROKEN = 10.0

log = structlog.get_logger("etl.api")


@dataclass(frozen=True)
class KnownJob:
    """`job`: as it is configured; None where only the ledger knows it."""

    id: str
    description: str | None
    target_table: str
    job: StagingJob | None = None

    @cached_property
    def _words(self) -> tuple[str, str]:
        return self.id.casefold(), (self.description or "").casefold()

    def rank(self, query: str) -> int | None:
        """0: the id begins with it, 1: the description does, 2: it stands somewhere in either; None: nowhere."""
        name, text = self._words
        if name.startswith(query):
            return 0
        if text.startswith(query):
            return 1
        return 2 if query in name or query in text else None


@dataclass(frozen=True)
class ConfiguredJobs:
    """As the files were at one moment."""

    configuration: StagingConfiguration
    has_batch_size_in_environment: bool

    @property
    def jobs(self) -> Mapping[str, StagingJob]:
        return self.configuration.jobs

    @cached_property
    def known(self) -> list[KnownJob]:
        """Made once, and not for each letter that somebody types."""
        return [KnownJob(job.id, job.description, job.target_table, job) for job in self.jobs.values()]

    def batch_size_from(self, job: StagingJob) -> str:
        if self.has_batch_size_in_environment:
            return "environment"
        return "job" if "batch_size" in job.model_fields_set else "default"


class KeptConfiguration:
    """Reads anew when `stamp` says that something has changed; what is broken leaves the last good one in place.

    The database stays that of the beginning: pools and streams are open on it.
    """

    def __init__(self, read: Callable[[], ConfiguredJobs], stamp: Callable[[], object]) -> None:
        self._read, self._stamp = read, stamp
        self._stamped = stamp()
        self._jobs = read()
        self._looked_at = self._read_at = time.monotonic()
        self._looking = threading.Lock()
        self._fault: str | None = None

    @classmethod
    def of(cls, config_dir: Path, environ: Mapping[str, str]) -> KeptConfiguration:
        """Raises ConfigurationError where there is no good one to begin with."""
        has_batch_size = bool(environ.get("ETL_BATCH_SIZE"))
        return cls(
            lambda: ConfiguredJobs(load_staging_configuration(config_dir, environ), has_batch_size),
            lambda: list(_facts_of_files(config_dir)),
        )

    @property
    def is_current(self) -> bool:
        """False while the files are broken, or name another database than the one in use."""
        return self._fault is None

    def now(self) -> ConfiguredJobs:
        """One caller looks and reads; the others go on with what is known."""
        if time.monotonic() - self._looked_at >= LOOK_SECONDS and self._looking.acquire(blocking=False):
            try:
                self._look()
            finally:
                self._looked_at = time.monotonic()
                self._looking.release()
        return self._jobs

    def _look(self) -> None:
        stamp = self._stamp()  # before it is read: what changes meanwhile is seen by the next look
        # a schema, which a job names and nobody watches, may have been what was wrong
        is_due = not self.is_current and time.monotonic() - self._read_at >= LOOK_SECONDS_OF_BROKEN
        if stamp != self._stamped or is_due:
            self._stamped, self._read_at = stamp, time.monotonic()
            self._take()

    def _take(self) -> None:
        try:
            read = self._read()
        except (EtlError, OSError) as error:
            self._tell(redact(str(error)))
            return
        if _database_of(read) != _database_of(self._jobs):
            self._tell("another database is configured: `etl api` has to begin anew to use it")
            return
        self._jobs, self._fault = read, None
        log.info("configuration read anew", jobs=len(read.jobs))

    def _tell(self, fault: str) -> None:
        """Once."""
        if fault != self._fault:
            log.error("configuration not taken, the last good one stays", error=fault)
        self._fault = fault


def _database_of(jobs: ConfiguredJobs) -> tuple[object, str]:
    return jobs.configuration.staging_server, jobs.configuration.schema_name


def _facts_of_files(config_dir: Path) -> Iterator[tuple[Path, int, int, int]]:
    staging = config_dir / "staging"
    for file in sorted([config_dir / "etl.yaml", *staging.glob("*.yaml"), *staging.glob("*.yml")]):
        try:
            facts = file.stat()
        except FileNotFoundError:
            continue
        yield file, facts.st_mtime_ns, facts.st_size, facts.st_ino
