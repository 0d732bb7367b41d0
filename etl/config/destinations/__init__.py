"""One folder a destination: what the configuration says of it, and what may be said."""
