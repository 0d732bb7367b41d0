"""What is known of runs and batches, in the tables beside the stg_* tables."""
