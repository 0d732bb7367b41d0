"""The worker: begins what was asked for, each load as a process of its own that outlives it."""
