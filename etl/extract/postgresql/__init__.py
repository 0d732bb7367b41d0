"""The operational PostgreSQL as a source: one snapshot, read in parallel."""
