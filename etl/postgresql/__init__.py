"""PostgreSQL as every tool meets it: its connections, its errors in our words, and whom a session waits for.

`sqlstates`, `next_steps`, `waits` and `patience` know no driver, so that the uploader, which has asyncpg, uses them.
"""
