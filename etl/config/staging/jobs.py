"""conf/staging/*.yaml → the staging jobs, with their database. Every fault at once, as for the tables."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from etl.config.alerts import AlertSettings
from etl.config.configuration import shown_path
from etl.config.document import Node, read_document, telling
from etl.config.limits import parse_limit
from etl.config.server_reader import ENVIRONMENT
from etl.config.servers import read_settings
from etl.config.settings import PostgreSQLSettings
from etl.config.staging.models import (
    LARGEST_BATCH,
    SMALLEST_BATCH,
    CsvFiles,
    InstantFormat,
    JsonFiles,
    PostgreSQLQuery,
    StagingJob,
    StandardInputSource,
)
from etl.config.staging.shapes import with_shape
from etl.config.urls import is_loopback, postgresql_fields
from etl.config.validation import unknown_keys, validate
from etl.errors import ConfigurationError, Fault, UsageError
from etl.names import stored_name
from etl.nearest import suggestion

__all__ = ["InstantFormat", "StagingConfiguration", "StagingJob", "load_staging_configuration"]

DEFAULT_SPOOL_DIR = Path(".data/spool")

_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
_SOURCES = (JsonFiles, CsvFiles, PostgreSQLQuery, StandardInputSource)
_KEYS_AT = {
    (): [key for key in StagingJob.model_fields if key != "id"],
    ("source",): list(dict.fromkeys(key for model in _SOURCES for key in model.model_fields)),
    ("timeouts",): list(StagingJob.model_fields["timeouts"].annotation.model_fields),  # type: ignore[union-attr]
}


@dataclass(frozen=True)
class StagingConfiguration:
    """What the staging loader may know before it touches a server."""

    jobs: Mapping[str, StagingJob]
    schema_name: str
    spool_dir: Path
    staging_server: PostgreSQLSettings | None
    source_server: PostgreSQLSettings | None
    alerts: AlertSettings = field(default_factory=AlertSettings)

    @property
    def database(self) -> PostgreSQLSettings:
        """Where the stg_* tables and their ledger are."""
        if self.staging_server is None:
            raise UsageError(
                "no database to load into: set ETL_STAGING_POSTGRES_URL or ETL_POSTGRES_URL, "
                "or `staging` or `postgresql` in etl.yaml"
            )
        return self.staging_server

    def job(
        self,
        name: str,
        batch_size: int | None = None,
        workers: int | None = None,
        files: Sequence[str] = (),
        maximum_rejected: str | None = None,
    ) -> StagingJob:
        """A job, with what the command line says instead; its files are relative to where the user stands."""
        if name not in self.jobs:
            raise UsageError(f"unknown job {name!r}; {suggestion(name, self.jobs)}")
        job = self.jobs[name]
        changed: dict[str, Any] = {}
        if batch_size is not None:
            changed["batch_size"] = _in_range(batch_size, "--batch-size")
        if workers is not None:
            changed["workers"] = workers
        if files:
            changed["source"] = _with_files(job, files)
        if maximum_rejected is not None:
            changed["maximum_rejected"] = _maximum(maximum_rejected, "--maximum-rejected")
        return job.model_copy(update=changed)

    def query_server(self, source: PostgreSQLQuery) -> PostgreSQLSettings:
        if source.url is not None:
            fence = self.staging_server.fence if self.staging_server else None
            return _server(source.url.get_secret_value()).of_attempt(fence)
        if self.source_server is None:
            raise UsageError("no server to query: set ETL_SOURCE_POSTGRES_URL, `source` in etl.yaml, or the job's url")
        return self.source_server


def load_staging_configuration(config_dir: Path, environ: Mapping[str, str]) -> StagingConfiguration:
    """Raises ConfigurationError with every fault of etl.yaml's servers, of the jobs, and of ETL_BATCH_SIZE."""
    return _Loading(shown_path(config_dir), environ).configuration()


@dataclass
class _Loading:
    config_dir: Path
    environ: Mapping[str, str]
    faults: list[Fault] = field(default_factory=list)

    def configuration(self) -> StagingConfiguration:
        path = self.config_dir / "etl.yaml"
        document = self._read(path) if path.is_file() else Node({}, str(path), 0)
        settings, faults = read_settings(document, self.environ, self.config_dir)
        self.faults += faults
        batch_size = self._batch_size()
        jobs = {job.id: job.model_copy(update=batch_size) for job in self._jobs()}
        if self.faults:
            raise ConfigurationError(telling(self.faults))
        return StagingConfiguration(
            MappingProxyType(jobs),
            settings.staging_schema,
            Path(self.environ.get("ETL_SPOOL_DIR") or DEFAULT_SPOOL_DIR),
            settings.staging or settings.postgresql,
            settings.source,
            settings.alerts,
        )

    def _read(self, path: Path) -> Node:
        document, faults = read_document(path, self.environ)
        self.faults += faults
        return document

    def _batch_size(self) -> dict[str, int]:
        written = self.environ.get("ETL_BATCH_SIZE")
        if not written:
            return {}
        try:
            return {"batch_size": _in_range(int(written), "ETL_BATCH_SIZE")}
        except ValueError:
            self.faults.append(Fault(ENVIRONMENT, 0, f"ETL_BATCH_SIZE: expected a whole number, found {written!r}"))
        except UsageError as error:
            self.faults.append(Fault(ENVIRONMENT, 0, error.message))
        return {}

    # Jobs

    def _jobs(self) -> Iterator[StagingJob]:
        written: dict[str, Node] = {}
        for name, node in self._written():
            if name in written:
                first = written[name]
                self.faults.append(node.fault(f"job {name!r} is already given in {first.file}:{first.line}"))
                continue
            written[name] = node
            job = self._job(name, node)
            if job is not None:
                yield job

    def _written(self) -> Iterator[tuple[str, Node]]:
        for file in sorted([*self.config_dir.glob("staging/*.yaml"), *self.config_dir.glob("staging/*.yml")]):
            document = self._read(file)
            self.faults += unknown_keys(document, ("jobs",))
            jobs = document.get("jobs") or document.child({})
            if jobs.value is not None and not isinstance(jobs.value, dict):
                self.faults.append(jobs.fault("jobs must be a mapping of ids to entries"))
            for name, node in jobs.mapping.items():
                if _JOB_ID.fullmatch(name):
                    yield name, node
                else:
                    self.faults.append(
                        node.fault(f"job id {name!r}: expected letters, digits, `_` and `-`, 80 at most")
                    )

    def _job(self, name: str, node: Node) -> StagingJob | None:
        if not isinstance(node.value, dict):
            self.faults.append(node.fault(f"job {name!r} must be a mapping of keys"))
            return None
        shaped, shape_faults = with_shape(node, self.config_dir)
        identified = shaped.child({"id": node.child(name), **shaped.mapping})
        job, faults = validate(StagingJob, identified, _KEYS_AT)
        self.faults += [replace(fault, message=f"job {name}: {fault.message}") for fault in (*shape_faults, *faults)]
        if "id" in node.mapping:
            self.faults.append(node.mapping["id"].fault(f"job {name}: the id is the entry's name; leave `id` out"))
        if job is None:
            return None
        self._check_url(name, node)
        return self._located(job)

    def _located(self, job: StagingJob) -> StagingJob:
        """A relative path starts at the configuration's own folder."""
        source = job.source
        if not isinstance(source, JsonFiles | CsvFiles):
            return job
        paths = tuple(os.path.normpath(self.config_dir.absolute() / path) for path in source.path)
        return job.model_copy(update={"source": source.model_copy(update={"path": paths})})

    def _check_url(self, name: str, node: Node) -> None:
        url = node.get("source", "url")
        if url is None or url.value is None:
            return
        try:
            fields = postgresql_fields(str(url.value))
        except ValueError as error:
            self.faults.append(url.fault(f"job {name}: source.url: {error}"))
            return
        if fields.get("password") and not url.from_environment:
            self.faults.append(
                url.fault(f"job {name}: source.url holds a password; it must come from the environment: ${{NAME}}")
            )


def _in_range(batch_size: int, name: str) -> int:
    if not SMALLEST_BATCH <= batch_size <= LARGEST_BATCH:
        raise UsageError(f"{name}: expected {SMALLEST_BATCH} to {LARGEST_BATCH:,} records a batch, found {batch_size}")
    return batch_size


def _maximum(written: str, name: str) -> str:
    try:
        return parse_limit(written)
    except ValueError as error:
        raise UsageError(f"{name}: {error}") from error


def _with_files(job: StagingJob, files: Iterable[str]) -> JsonFiles | CsvFiles:
    source = job.source
    if not isinstance(source, JsonFiles | CsvFiles):
        raise UsageError(f"job {job.id} reads {source.type}, not files; leave --file out")
    return source.model_copy(update={"path": tuple(stored_name(Path(file).absolute()) for file in files)})


def _server(url: str) -> PostgreSQLSettings:
    fields = postgresql_fields(url)
    default = "prefer" if is_loopback(str(fields["host"])) else "verify-full"
    return PostgreSQLSettings.model_validate({"sslmode": default, **fields})
