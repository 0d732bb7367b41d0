"""What a run leaves behind when its process is killed: real processes, real servers."""
