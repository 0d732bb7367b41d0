"""SQL of the stg_* tables."""
