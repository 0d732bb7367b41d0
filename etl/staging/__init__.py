"""The JSONB staging loader: JSON records into stg_* tables of PostgreSQL, batch by batch. Read loader.py first."""
