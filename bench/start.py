"""What a start costs before the first table: a Spark session that can reach the lake, and the whole command's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import botocore

from bench.commands import run_command
from bench.main_job import run_command_of_main_job
from bench.measure import Ratio, Results, Timing
from bench.stores import clear_all
from etl.config.settings import Settings
from etl.project import PROJECT_DIR

SECTION = "start"
_BUNDLE = Path(botocore.__file__).parent / "cacert.pem"
"""As long as a system's bundle."""
_PROGRAM = """
import sys
from pathlib import Path
from etl.config.destinations.s3.settings import S3Settings
from etl.spark.session import build_session, configure_s3
endpoint, ca_file, kept_in = sys.argv[1:]
session = build_session("bench-start", {"spark.ui.enabled": "false"})
configure_s3(session, S3Settings(endpoint=endpoint, bucket="lake", ca_file=ca_file or None), Path(kept_in))
"""
_SMALL_TABLE = "countries"
_TLS = "https://127.0.0.1"
_PLAIN, _FIRST, _AGAIN, _WITHOUT_TLS = "no bundle", "bundle, first start", "bundle, later start", "bundle, no TLS"


def measure_start(rounds: int, say: Callable[[str], None]) -> Results:
    """With and without a bundle of authorities, in turn; the store itself is not reached."""
    seconds: dict[str, list[float]] = {case: [] for case in (_PLAIN, _FIRST, _AGAIN, _WITHOUT_TLS)}
    for _ in range(rounds):
        with TemporaryDirectory(prefix="ownlens-etl-bench-") as folder:
            for case, endpoint, ca_file in (
                (_PLAIN, _TLS, ""),
                (_FIRST, _TLS, str(_BUNDLE)),
                (_AGAIN, _TLS, str(_BUNDLE)),
                (_WITHOUT_TLS, "http://127.0.0.1", str(_BUNDLE)),
            ):
                seconds[case].append(_start(endpoint, ca_file, Path(folder)))
    results = Results([Timing(SECTION, case, 1, tuple(found)) for case, found in seconds.items()])
    plain = results.timing(SECTION, _PLAIN).median
    for case in (_FIRST, _AGAIN, _WITHOUT_TLS):
        results.ratios.append(Ratio(SECTION, f"{case} / {_PLAIN}", results.timing(SECTION, case).median / plain))
    say("start: " + ", ".join(f"{timing.case} {timing.median:.1f} s" for timing in results.timings))
    return results


def measure_first_read(
    settings: Settings, variables: dict[str, str], rounds: int, say: Callable[[str], None]
) -> Results:
    """One small table by the whole command, into empty stores and once more: to its end, and to its being read."""
    run_command([sys.executable, "-m", "etl.sample", "--recreate", "--scale", "0.001"], {**os.environ, **variables})
    seconds: dict[str, list[float]] = {}
    for _ in range(rounds):
        clear_all(settings)
        for stage in ("from nothing", "nothing new"):
            run = run_command_of_main_job(variables, "--tables", _SMALL_TABLE)
            seconds.setdefault(f"one table, {stage}", []).append(run.seconds)
            seconds.setdefault(f"to the table read, {stage}", []).append(run.first_read_seconds)
    clear_all(settings)
    results = Results([Timing(SECTION, case, 1, tuple(found)) for case, found in seconds.items()])
    say("start: " + ", ".join(f"{timing.case} {timing.median:.1f} s" for timing in results.timings))
    return results


def _start(endpoint: str, ca_file: str, kept_in: Path) -> float:
    command = [sys.executable, "-c", _PROGRAM, endpoint, ca_file, str(kept_in)]
    return run_command(command, {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}).seconds
