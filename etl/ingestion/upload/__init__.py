"""Files into one table: each file's way through the manifest, workers, and batches of one transaction each."""
