"""What a PostgreSQL is asked, whatever it is for, and what its role in a run needs of it."""
