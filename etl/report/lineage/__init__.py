"""A finished run as OpenLineage events: what was read, what was written, how it went (docs/lineage.md)."""
