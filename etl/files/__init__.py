"""Files as people have them: packed ones as streams of what they hold."""
