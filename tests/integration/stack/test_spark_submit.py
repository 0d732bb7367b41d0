"""./spark-submit.sh before it hands over to Spark."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from etl.project import PROJECT_DIR
from etl.stack.layout import DATA_DIR_VARIABLE


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


COUNT = """
import sys
from etl.spark.session import build_session
print("lines:", build_session("names").read.text(sys.argv[1]).count())
"""


@pytest.mark.stack
def test_names_beyond_ascii_are_read_in_any_locale(tmp_path: Path, stack_environment: dict[str, str]) -> None:
    """Python mends LANG=C by itself, and leaves LC_ALL to whoever sets it."""
    (tmp_path / "count.py").write_text(COUNT)
    (tmp_path / "café.txt").write_text("one\ntwo\n", encoding="utf-8")
    done = subprocess.run(
        ["./spark-submit.sh", str(tmp_path / "count.py"), str(tmp_path / "café.txt")],
        cwd=PROJECT_DIR,
        env={**os.environ, "LC_ALL": "C", "ETL_LOG_DIR": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "lines: 2"
