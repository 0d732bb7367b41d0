"""What a start costs before the first table: a fresh process up to a Spark session that can reach the lake."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import botocore

from bench.commands import run_command
from bench.measure import Ratio, Results, Timing
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


def _start(endpoint: str, ca_file: str, kept_in: Path) -> float:
    command = [sys.executable, "-c", _PROGRAM, endpoint, ca_file, str(kept_in)]
    return run_command(command, {**os.environ, "PYTHONPATH": str(PROJECT_DIR)}).seconds
