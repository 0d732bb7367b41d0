"""ClickHouse as every tool meets it: over HTTP, its errors in our words."""
