"""ClickHouse statements as text: tables, what changed, partitions, raw staging for JDBC."""
