"""The uploader: CSV and Parquet files into PostgreSQL through asyncpg. Read uploader.py first."""
