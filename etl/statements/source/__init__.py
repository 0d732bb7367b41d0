"""SQL that reads the operational PostgreSQL."""
