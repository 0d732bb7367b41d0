"""conf/jobs/*.yaml → the jobs, and how many may run at once. Every fault of all files at once, with file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType

from etl.config.configuration import shown_path
from etl.config.document import Node, merge, read_document, telling
from etl.config.orchestrator.checks import entry_faults, sql_path
from etl.config.orchestrator.graph import graph_faults
from etl.config.orchestrator.models import INTERNAL, JOB_KEYS, KEYS_AT, WAYS, JobConfig
from etl.config.orchestrator.parallelism import ALL, scope_faults
from etl.config.validation import unknown_keys, validate
from etl.errors import ConfigurationError, Fault
from etl.project import PROJECT_DIR

__all__ = ["ALL", "JobConfig", "JobsConfiguration", "load_jobs"]

FOLDER = "jobs"

_FILE_KEYS = ("defaults", "jobs", "parallelism")
_SLUG = re.compile(r"[a-z0-9][a-z0-9_-]{0,79}")
_DEFAULT_KEYS = tuple(key for key in JOB_KEYS if key != "title")


@dataclass(frozen=True)
class JobsConfiguration:
    """Jobs by slug, in the order of the files; `parallelism`: how many runs at once, by scope (`all`, `layer:gold`)."""

    jobs: Mapping[str, JobConfig]
    parallelism: Mapping[str, int]


def load_jobs(config_dir: Path, environ: Mapping[str, str]) -> JobsConfiguration:
    """Raises ConfigurationError with every fault there is. Without files there are no jobs."""
    return _Loading(shown_path(config_dir), environ).configuration()


@dataclass
class _Loading:
    config_dir: Path
    environ: Mapping[str, str]
    faults: list[Fault] = field(default_factory=list)
    entries: dict[str, Node] = field(default_factory=dict)
    """Each job's entry with its file's defaults below it."""
    scopes: dict[str, Node] = field(default_factory=dict)

    def configuration(self) -> JobsConfiguration:
        files = sorted([*self.config_dir.glob(f"{FOLDER}/*.yaml"), *self.config_dir.glob(f"{FOLDER}/*.yml")])
        jobs = {job.slug: job for file in files for job in self._jobs(file)}
        self.faults += graph_faults(self.entries)
        self.faults += scope_faults(self.scopes, self.entries)
        if self.faults:
            raise ConfigurationError(telling(self.faults))
        parallelism = {scope: int(str(node.value)) for scope, node in self.scopes.items()}
        return JobsConfiguration(MappingProxyType(jobs), MappingProxyType(parallelism))

    # Files

    def _jobs(self, file: Path) -> Iterator[JobConfig]:
        document, faults = read_document(file, self.environ)
        self.faults += [*faults, *unknown_keys(document, _FILE_KEYS)]
        defaults = self._mapping(document, "defaults")
        self.faults += unknown_keys(defaults, _DEFAULT_KEYS, "defaults")
        usable = defaults.child({key: node for key, node in defaults.mapping.items() if key in _DEFAULT_KEYS})
        self._add_scopes(self._mapping(document, "parallelism"))
        for slug, node in self._mapping(document, "jobs").mapping.items():
            if self._is_entry(slug, node):
                job = self._job(slug, node, usable, f"{FOLDER}/{file.name}")
                if job is not None:
                    yield job

    def _mapping(self, document: Node, key: str) -> Node:
        node = document.get(key)
        if node is None or node.value is None:
            return document.child({})
        if not isinstance(node.value, dict):
            self.faults.append(node.fault(f"{key} must be a mapping"))
            return node.child({})
        return node

    def _add_scopes(self, parallelism: Node) -> None:
        for scope, node in parallelism.mapping.items():
            first = self.scopes.setdefault(scope, node)
            if first is not node:
                place = f"{first.file}:{first.line}"
                self.faults.append(node.fault(f"parallelism: scope {scope!r} is already given in {place}"))

    # Jobs

    def _is_entry(self, slug: str, node: Node) -> bool:
        if not _SLUG.fullmatch(slug):
            expected = "expected lower-case letters, digits, `_` and `-`, 80 at most"
            self.faults.append(node.fault(f"job {slug!r}: {expected}"))
        elif not isinstance(node.value, dict):
            self.faults.append(node.fault(f"job {slug!r} must be a mapping of keys"))
        elif slug in self.entries:
            first = self.entries[slug]
            self.faults.append(node.fault(f"job {slug!r} is already given in {first.file}:{first.line}"))
        else:
            return True
        return False

    def _job(self, slug: str, node: Node, defaults: Node, source_file: str) -> JobConfig | None:
        entry = self.entries[slug] = _with_defaults(node, defaults)
        found = [
            node.mapping[key].fault(f"unknown key {key!r}; the slug is the entry's name")
            for key in INTERNAL
            if key in node.mapping
        ]
        internal = {"slug": entry.child(slug), "source_file": entry.child(source_file)}
        key = {} if "concurrency_key" in entry.mapping else {"concurrency_key": entry.child(slug)}
        job, faults = validate(JobConfig, entry.child({**entry.mapping, **internal, **key}), KEYS_AT)
        found += [*faults, *entry_faults(entry, node, self.config_dir)]
        inherited = set(_lines(defaults))
        for fault in found:
            where = "defaults" if fault.line in inherited else f"job {slug}"
            self.faults.append(replace(fault, message=f"{where}: {fault.message}"))
        return self._located(job) if job is not None else None

    def _located(self, job: JobConfig) -> JobConfig:
        """Its SQL file as any worker finds it, wherever its clone of the project is."""
        if job.sql is None:
            return job
        path = sql_path(job.sql, self.config_dir)
        within = path.relative_to(PROJECT_DIR) if path.is_relative_to(PROJECT_DIR) else path
        return job.model_copy(update={"sql": within.as_posix()})


def _lines(node: Node) -> Iterator[int]:
    """Where the parts of a mapping are written: what is wrong there is said once, not of each job."""
    for part in node.mapping.values():
        yield part.line
        yield from _lines(part)


def _with_defaults(node: Node, defaults: Node) -> Node:
    """A job that says itself what it runs takes neither another way nor its store from the defaults."""
    says_itself = any(way in node.mapping for way in WAYS)
    below = {key: value for key, value in defaults.mapping.items() if not (says_itself and key in WAYS)}
    if "sql" not in node.mapping and "sql" not in below:
        below.pop("store", None)
    return merge(defaults.child(below), node)
