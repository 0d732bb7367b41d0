"""`python -m etl.ingestion`: the same as the console script `uploader`."""

from etl.ingestion.cli import main

main()
