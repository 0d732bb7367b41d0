"""One table's way through the rooms: table.py, read first."""
