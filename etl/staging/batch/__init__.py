"""One batch, from raw records to rows and rejects that have committed."""
