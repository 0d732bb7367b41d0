"""The lake as a destination."""
