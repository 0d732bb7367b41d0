"""The staging database: connections, waits, what must be so before a run, and what is created."""
