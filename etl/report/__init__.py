"""What a run says while it works and when it is done: progress, log lines, the summary, the JSON report."""
