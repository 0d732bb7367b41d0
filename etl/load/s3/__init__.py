"""The lake: Delta tables and Parquet or JSON files under s3a://{bucket}/data-lake/."""

from etl.load.s3.loader import S3Loader
from etl.load.s3.paths import get_s3_path

__all__ = ["S3Loader", "get_s3_path"]
