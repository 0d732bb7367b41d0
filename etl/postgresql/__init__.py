"""PostgreSQL as every tool meets it: its connections, its errors in our words, and whom a session waits for.

`sqlstates`, `next_steps` and `waits` know no driver, so that the uploader, which has asyncpg, uses them too.
"""
