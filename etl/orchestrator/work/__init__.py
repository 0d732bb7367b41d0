"""The worker: claims runs, and starts, watches and ends their processes."""
