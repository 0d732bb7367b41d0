"""./spark-submit.sh jobs/show_table.py customer_events: what stands in each store of one table."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

# spark-submit puts jobs/ on the path, not the folder above it
sys.path.append(str(Path(__file__).resolve().parents[1]))

from etl.command.console import table_console
from etl.command.edge import Edge
from etl.command.exits import Exit
from etl.config.configuration import load_configuration
from etl.names import let_output_hold_anything
from etl.pipeline.show import show
from etl.spark.session import build_session


def main() -> int:
    let_output_hold_anything()
    parser = argparse.ArgumentParser(prog="show_table.py", description=__doc__)
    parser.add_argument("table")
    parser.add_argument("--rows", type=int, default=5, help="how many rows to print (5)")
    parser.add_argument("--config-dir", type=Path, help="where etl.yaml and tables/ are (conf/)")
    given = parser.parse_args()

    def work() -> None:
        configuration = load_configuration(given.config_dir, os.environ)
        show(configuration, configuration.table(given.table), build_session(), given.rows, table_console())

    return Edge(lambda _: Exit.USAGE).exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
