"""The commands of `etl orchestrator`: a module a group; `etl.orchestrator.__main__` puts them together."""
