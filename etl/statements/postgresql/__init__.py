"""PostgreSQL's statements as text: tables, staging, publishing, violations, checks."""
