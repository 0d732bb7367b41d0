"""`python -m etl.rejects list | show | retry`: the rows that loads left out."""
