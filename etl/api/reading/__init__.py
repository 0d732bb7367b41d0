"""What the page shows, read from the ledger in as few statements as one needs."""
