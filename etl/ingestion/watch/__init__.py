"""Those who watch an upload: bars, log lines, metrics."""
