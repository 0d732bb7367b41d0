"""The orchestrator's tables in PostgreSQL, and its statements by name."""
