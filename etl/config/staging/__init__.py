"""conf/staging/*.yaml: the staging jobs."""
