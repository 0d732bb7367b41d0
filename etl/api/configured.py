"""The jobs that can be started, as conf/staging has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etl.config.staging.jobs import StagingConfiguration
from etl.config.staging.models import StagingJob


@dataclass(frozen=True)
class ConfiguredJobs:
    configuration: StagingConfiguration
    has_batch_size_in_environment: bool

    @property
    def jobs(self) -> Mapping[str, StagingJob]:
        return self.configuration.jobs

    def batch_size_from(self, job: StagingJob) -> str:
        if self.has_batch_size_in_environment:
            return "environment"
        return "job" if "batch_size" in job.model_fields_set else "default"
