"""The jobs of conf/jobs in the orchestrator's tables."""

from etl.orchestrator.seed.differences import Difference
from etl.orchestrator.seed.seeding import differences, seed

__all__ = ["Difference", "differences", "seed"]
