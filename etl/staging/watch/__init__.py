"""Those who watch a run: a bar, metrics."""
