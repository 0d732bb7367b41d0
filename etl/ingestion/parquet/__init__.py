"""Parquet files as batches in COPY's binary format."""
