"""When jobs are due, and the runs that are made of it."""
