"""spark-submit jobs/run_etl.py --load-destinations s3,postgresql,clickhouse (all flags: --help)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

# spark-submit puts jobs/ on the path, not the folder above it; on a cluster `etl` comes with --py-files instead
sys.path.append(str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    from etl.spark.start import begin_jvm

    begin_jvm()
    from etl.pipeline.job import main

    sys.exit(main(sys.argv[1:], os.environ))
