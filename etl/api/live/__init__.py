"""Runs as they happen: one poll a watched run, whoever watches."""
