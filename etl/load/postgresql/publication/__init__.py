"""From the run's staging table into the target, in one transaction."""
