"""Rows on their way from executors into the run's staging table."""
