"""The orchestrator: jobs in the order of what they depend on, when they are due; all that its processes share is
PostgreSQL."""
