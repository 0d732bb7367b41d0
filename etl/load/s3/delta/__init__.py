"""Delta tables of the lake."""
