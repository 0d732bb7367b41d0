"""What the staging loader's commands print and write."""
