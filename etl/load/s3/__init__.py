"""The lake: Delta tables and Parquet or JSON files under s3a://{bucket}/data-lake/. loader.py is its door."""
