"""`python -m etl.spark.shipping`: what spark-submit has to send to YARN for a driver there, a Spark option a line."""

from __future__ import annotations

import sys

from etl.command.logging import LogFormat, configure_logging
from etl.spark.shipping.archives import ENVIRONMENT, PROJECT, SHIPPED_PYTHON, environment_archive, project_archive
from etl.spark.shipping.packages import OF_A_DRIVER


def options() -> dict[str, str]:
    """The executors get the same archives; Spark puts what it brings itself behind this PYTHONPATH."""
    environment, project = environment_archive(OF_A_DRIVER), project_archive()
    return {
        "spark.yarn.dist.archives": f"{environment}#{ENVIRONMENT},{project}#{PROJECT}",
        # both: the submitting machine's own would be taken along
        "spark.yarn.appMasterEnv.PYSPARK_PYTHON": SHIPPED_PYTHON,
        "spark.yarn.appMasterEnv.PYSPARK_DRIVER_PYTHON": SHIPPED_PYTHON,
        "spark.yarn.appMasterEnv.PYTHONPATH": f"./{PROJECT}",
        "spark.yarn.appMasterEnv.ETL_IVY_DIR": "./ivy",
        "spark.yarn.appMasterEnv.ETL_LOG_DIR": "./logs",
        "spark.yarn.appMasterEnv.TZ": "UTC",
    }


if __name__ == "__main__":
    configure_logging(LogFormat.CONSOLE)
    sys.stdout.write("".join(f"{name}={value}\n" for name, value in options().items()))
