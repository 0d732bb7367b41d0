"""./spark-submit.sh before it hands over to Spark."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from etl.stack.layout import DATA_DIR_VARIABLE, PROJECT_DIR


@pytest.mark.parametrize("job", ["jobs/run_etl.py", "jobs/show_table.py"])
def test_a_jobs_flags_are_told_without_starting_a_server(tmp_path: Path, job: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "AWS_"))}
    kept |= {name: os.environ[name] for name in ("ETL_IVY_DIR",) if name in os.environ}
    data_dir = tmp_path / "stack"
    done = subprocess.run(
        ["./spark-submit.sh", job, "--config-dir", str(tmp_path), "--help"],
        cwd=PROJECT_DIR,
        env={**kept, DATA_DIR_VARIABLE: str(data_dir)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {Path(job).name}")
    assert not data_dir.exists()
