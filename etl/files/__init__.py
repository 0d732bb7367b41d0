"""Files as people have them: found by name or pattern, packed ones as streams of what they hold."""
