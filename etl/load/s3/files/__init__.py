"""Tables of plain Parquet or JSON files: staged beside what stands, then exchanged."""
