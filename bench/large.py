"""10,000,000 rows through the README's command with a driver of 2 GiB: what must not fail, and how long it takes."""

from __future__ import annotations

import resource
import subprocess
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

from bench.main_job import ALL_STORES, loads_of, own_servers
from bench.measure import Results, Timing
from bench.servers import configuration
from bench.together import remove_targets
from etl.config.settings import Settings
from etl.project import PROJECT_DIR

SECTION = "large: spark-submit, 2 GiB driver"
TABLE = "bench_large"
DRIVER_MEMORY = "2g"


def measure_large(settings: Settings, variables: dict[str, str], rows: int, say: Callable[[str], None]) -> Results:
    """One run, the start of the JVM included. The source must hold the rows (together.fill_source)."""
    with configuration(TABLE) as folder, TemporaryDirectory(prefix="ownlens-bench-") as reports:
        report = Path(reports) / "report.json"
        command = ["./spark-submit.sh", "--driver-memory", DRIVER_MEMORY, "jobs/run_etl.py"]
        command += ["--load-destinations", ALL_STORES, "--config-dir", str(folder)]
        started = perf_counter()
        subprocess.run(
            [*command, "--log-format", "json", "--report", str(report)],
            cwd=PROJECT_DIR,
            env=own_servers(variables),
            check=True,
        )
        elapsed = perf_counter() - started
        loads = loads_of(report)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024**2
    say(f"{SECTION}: {elapsed:.1f} s, {rows / elapsed:,.0f} rows/s, largest process {peak:.1f} GiB")
    remove_targets(settings, TABLE)
    timings = [Timing(SECTION, "three stores at once", rows, (elapsed,))]
    timings += [Timing(SECTION, f"  {load['destination']}", rows, (load["seconds"],)) for load in loads]
    return Results(timings)
