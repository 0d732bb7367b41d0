"""spark-submit.sh, as far as it decides before anything is set up."""

from __future__ import annotations

import subprocess

import pytest

from etl.project import PROJECT_DIR


@pytest.mark.parametrize(
    "options",
    [
        ("--master", "spark://master:7077", "--deploy-mode", "cluster"),
        ("--deploy-mode=cluster", "--master=spark://master:7077"),
        ("--conf", "spark.master=spark://master:7077", "--conf", "spark.submit.deployMode=cluster"),
    ],
)
def test_a_standalone_cluster_starts_no_python_driver(options: tuple[str, ...]) -> None:
    command = [str(PROJECT_DIR / "spark-submit.sh"), *options, "jobs/run_etl.py", "--master", "of the job's own"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "runs no Python job with --deploy-mode cluster: leave that out, and the driver runs here" in done.stderr
    assert "docs/cluster.md" in done.stderr
