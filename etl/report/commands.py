"""What to type next, with the folder of this run's configuration: a command without it would be another run's."""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

_JOB = "./spark-submit.sh jobs/run_etl.py"


def etl_as_typed() -> str:
    """`etl` where the shell finds ours by that name, else with its path; of no set-up of ours as a module."""
    ours = Path(sys.executable).with_name("etl")
    if not ours.is_file():
        return "python -m etl"
    found = shutil.which("etl")
    return "etl" if found and Path(found).samefile(ours) else shlex.quote(str(ours))


@dataclass(frozen=True)
class Commands:
    """`config_dir` is as it was given, None where it was not."""

    config_dir: Path | None = None

    def resume(self, run_id: str) -> str:
        return self._with_folder(f"{_JOB} --resume {shlex.quote(run_id)}")

    def load(self, *options: str) -> str:
        return self._with_folder(shlex.join([*_JOB.split(), *options]))

    def list_rejects(self, run_id: str) -> str:
        return self._with_folder(f"{etl_as_typed()} rejects list --run {shlex.quote(run_id)}")

    def retry_rejects(self) -> str:
        return self._with_folder(f"{etl_as_typed()} rejects retry")

    def retry_staging(self, run_id: str) -> str:
        return self._with_folder(f"{etl_as_typed()} staging retry --run {shlex.quote(run_id)}")

    def _with_folder(self, command: str) -> str:
        return command if self.config_dir is None else f"{command} --config-dir {shlex.quote(str(self.config_dir))}"
