"""Real PostgreSQL, ClickHouse and S3 servers on loopback, from packages alone, for whoever has none configured."""
