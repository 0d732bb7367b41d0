"""PostgreSQL: executors COPY into a staging table of the run, one transaction publishes data and ledger entry."""
