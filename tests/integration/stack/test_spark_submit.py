"""./spark-submit.sh before it hands over to Spark."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from etl.project import PROJECT_DIR
from etl.stack import packages
from etl.stack.layout import DATA_DIR_VARIABLE


def submitted(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """With nothing configured; and neither a server nor a JVM was started: Java was only asked for its version."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ETL_", "AWS_", "JAVA_"))}
    kept |= {name: os.environ[name] for name in ("ETL_IVY_DIR",) if name in os.environ}
    data_dir, asked, java = tmp_path / "stack", tmp_path / "asked", tmp_path / "bin" / "java"
    java.parent.mkdir()
    java.write_text(f"#!/bin/sh\necho \"$*\" >>'{asked}'\nexec '{packages.java()}' \"$@\"\n")
    java.chmod(0o755)
    done = subprocess.run(
        ["./spark-submit.sh", *arguments],
        cwd=PROJECT_DIR,
        env={**kept, DATA_DIR_VARIABLE: str(data_dir), "PATH": f"{java.parent}:{kept['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not data_dir.exists()
    assert asked.read_text() == "-version\n"
    return done


@pytest.mark.parametrize("job", ["jobs/run_etl.py", "jobs/show_table.py"])
def test_a_jobs_flags_are_told_without_starting_a_server(tmp_path: Path, job: str) -> None:
    done = submitted(tmp_path, job, "--config-dir", str(tmp_path), "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"usage: {Path(job).name}")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--load-destination", "s3"], "run_etl.py: unrecognized arguments: --load-destination s3\n"),
        (["--since", "yesterday"], "--since: expected a date or time such as"),
        (["--tables", "nope"], "unknown table 'nope'; "),
        (["--config-dir", "/nowhere"], "/nowhere"),
        (
            ["--report", "/nowhere/report.json"],
            "--report /nowhere/report.json: expected a file in a folder that exists",
        ),
    ],
)
def test_a_run_that_cannot_begin_starts_no_server(tmp_path: Path, flags: list[str], said: str) -> None:
    done = submitted(tmp_path, "--driver-memory", "1g", "jobs/run_etl.py", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


COUNT = """
import sys
from etl.spark.session import build_session
print("lines:", build_session("names").read.text(sys.argv[1]).count())
"""


@pytest.mark.stack
@pytest.mark.slow
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
