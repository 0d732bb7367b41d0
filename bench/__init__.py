"""Measures what the product promises: every loader against what Spark does by itself, in the same run."""
