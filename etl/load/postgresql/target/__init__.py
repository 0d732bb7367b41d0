"""The target table: what stands there, what it should look like, and what it would refuse."""
