"""ownlens-etl: extract, transform and load a media company's tables into a lake, PostgreSQL and ClickHouse."""

__version__ = "0.1.0"
