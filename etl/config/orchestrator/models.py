"""What a job's YAML entry means, typed and frozen. All times are seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from etl.config.durations import parse_duration
from etl.config.frozen import FrozenModel
from etl.config.orchestrator.cron import check_cron, check_time_zone

JobKindName = Literal["command", "sql", "python"]

WAYS = ("argv", "sql", "python")
"""What a job can be; an entry has one of them."""

GIVEN_PARAMETERS = ("scheduled_at", "interval_from", "interval_until", "cycle", "run_id")
"""What each run has besides its own parameters."""

PLACEHOLDER = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")

_CALLABLE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def _each_once(names: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"expected each name once; found {', '.join(twice)} more often")
    return names


def _checked_callable(written: str) -> str:
    if not _CALLABLE.fullmatch(written):
        raise ValueError(f"expected module:function, such as shop.prices:refresh; found {written!r}")
    return written


def _checked_key(written: str) -> str:
    if PLACEHOLDER.search(written):
        raise ValueError(f"expected a plain text, the same for all runs of the job; found {written!r}")
    return written


Text = Annotated[str, Field(min_length=1)]
Word = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,79}$")]
Duration = Annotated[float, BeforeValidator(parse_duration), Field(gt=0, allow_inf_nan=False)]
Pause = Annotated[float, BeforeValidator(parse_duration), Field(ge=0, allow_inf_nan=False)]
Names = Annotated[tuple[Word, ...], AfterValidator(_each_once)]


class BackoffConfig(FrozenModel):
    """Before the second attempt anything up to `first`, then twice that, at most `longest`."""

    first: Pause = 10
    longest: Pause = Field(default=300, validate_default=True)

    @field_validator("longest")
    @classmethod
    def _not_below_first(cls, longest: float, info: ValidationInfo) -> float:
        first = info.data.get("first", 0)
        if longest < first:
            raise ValueError(f"expected at least `first`, {first:g} seconds; found {longest:g}")
        return longest


class ScheduleConfig(FrozenModel):
    """When a job is due; its descendants without a schedule of their own follow."""

    cron: Annotated[str, AfterValidator(check_cron)]
    time_zone: Annotated[str, AfterValidator(check_time_zone)] = "UTC"
    catch_up: Literal["skip", "last", "all"] = "last"
    catch_up_limit: int = Field(default=10, ge=1, le=10_000)
    grace: Pause = 300

    @property
    def row(self) -> Mapping[str, Any]:
        """By the columns of dw_etl_schedules."""
        return {
            "cron": self.cron,
            "time_zone": self.time_zone,
            "catch_up": self.catch_up,
            "catch_up_limit": self.catch_up_limit,
            "grace_seconds": self.grace,
        }


class JobConfig(FrozenModel):
    """One job: what is started, after whom, how often it is tried, and when somebody is told."""

    slug: Word
    source_file: str
    """Its file within the configuration's folder, `jobs/bronze.yaml`."""
    title: str = ""
    layer: Word
    argv: Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    sql: Text | None = None
    """A file, relative to the project's folder where it lies within."""
    store: Literal["postgresql", "clickhouse"] | None = None
    python: Annotated[str, AfterValidator(_checked_callable)] | None = None
    parameters: dict[str, Any] = Field(default={})
    parameters_schema: dict[str, Any] = Field(default={})
    parents: Names = ()
    tags: Names = ()
    priority: int = Field(default=0, ge=0, le=1_000_000)
    concurrency_key: Annotated[Text, AfterValidator(_checked_key)] | None
    """None: any number of its runs side by side. In YAML the slug where nothing is said."""
    when_held: Literal["queue", "skip", "fail"] = "queue"
    retries: int = Field(default=2, ge=0, le=100)
    backoff: BackoffConfig = BackoffConfig()
    retry_for: Duration | None = None
    timeout: Duration | None = None
    grace: Pause = 10
    late_after: Duration | None = None
    stuck_after: Duration | None = None
    enabled: bool = True
    schedule: ScheduleConfig | None = None

    @property
    def kind(self) -> JobKindName:
        return "command" if self.argv is not None else "sql" if self.sql is not None else "python"

    @property
    def command(self) -> Mapping[str, Any]:
        """What is started, as dw_etl_jobs keeps it."""
        if self.argv is not None:
            return {"argv": list(self.argv)}
        return {"sql": self.sql, "store": self.store} if self.sql is not None else {"callable": self.python}

    @property
    def row(self) -> Mapping[str, Any]:
        """By the columns of dw_etl_jobs; parents, tags and schedule have tables of their own."""
        return {
            "slug": self.slug,
            "title": self.title,
            "layer": self.layer,
            "kind": self.kind,
            "command": self.command,
            "parameters": self.parameters,
            "parameters_schema": self.parameters_schema,
            "priority": self.priority,
            "concurrency_key": self.concurrency_key,
            "when_held": self.when_held,
            "retries": self.retries,
            "backoff_seconds": self.backoff.first,
            "backoff_limit_seconds": self.backoff.longest,
            "retry_for_seconds": self.retry_for,
            "timeout_seconds": self.timeout,
            "grace_seconds": self.grace,
            "late_after_seconds": self.late_after,
            "stuck_after_seconds": self.stuck_after,
            "is_enabled": self.enabled,
            "source_file": self.source_file,
        }


INTERNAL = ("slug", "source_file")
"""Fields that no entry has: they follow from where it stands."""

JOB_KEYS = tuple(key for key in JobConfig.model_fields if key not in INTERNAL)

KEYS_AT = {
    (): JOB_KEYS,
    ("backoff",): tuple(BackoffConfig.model_fields),
    ("schedule",): tuple(ScheduleConfig.model_fields),
}
