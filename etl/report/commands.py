"""What to type next, with the folder of this run's configuration: a command without it would be another run's."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from etl.command.typed import etl_as_typed
from etl.project import DEFAULT_CONFIG_DIR

_JOB = "./spark-submit.sh jobs/run_etl.py"


@dataclass(frozen=True)
class Commands:
    """`config_dir` is as it was given, None where it was not."""

    config_dir: Path | None = None

    @classmethod
    def of(cls, config_dir: Path) -> Self:
        """Of a command whose option has the default folder where none was given."""
        return cls(None if config_dir == DEFAULT_CONFIG_DIR else config_dir)

    def resume(self, run_id: str) -> str:
        return self._with_folder(f"{_JOB} --resume {shlex.quote(run_id)}")

    def load(self, *options: str) -> str:
        return self._with_folder(shlex.join([*_JOB.split(), *options]))

    def list_rejects(self, run_id: str) -> str:
        return self._with_folder(f"{etl_as_typed()} rejects list --run {shlex.quote(run_id)}")

    def compare_runs(self) -> str:
        return self._with_folder(f"{etl_as_typed()} history diff")

    def retry_rejects(self) -> str:
        return self._with_folder(f"{etl_as_typed()} rejects retry")

    def retry_staging(self, run_id: str) -> str:
        return self._with_folder(f"{etl_as_typed()} staging retry --run {shlex.quote(run_id)}")

    def load_staging(self, job_id: str) -> str:
        return self._with_folder(f"{etl_as_typed()} staging load {shlex.quote(job_id)}")

    def staging_status(self, run_id: str) -> str:
        return self._with_folder(f"{etl_as_typed()} staging status --run {shlex.quote(run_id)}")

    def doctor(self) -> str:
        return self._with_folder(f"{etl_as_typed()} doctor")

    def _with_folder(self, command: str) -> str:
        return command if self.config_dir is None else f"{command} --config-dir {shlex.quote(str(self.config_dir))}"
