"""The edge that all commands share: options, exit codes, what errors say, consoles, the log, metrics and bars."""
