"""DuckDB as a destination of ownlens-etl."""
