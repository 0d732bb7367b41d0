"""What schedulers and workers tell Prometheus."""
