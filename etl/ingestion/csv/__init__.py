"""CSV files as batches of records that COPY reads."""
