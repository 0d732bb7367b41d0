"""The uploader's PostgreSQL: where it is, its door, what the target is, and what is waited for."""
