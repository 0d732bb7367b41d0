"""`python -m etl.ingestion`: the same as the console script `uploader`."""

from etl.ingestion.command.app import main

main()
