"""SQL of the uploader."""
