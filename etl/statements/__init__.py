"""Pure functions: description → SQL text. No connection, no Spark."""
