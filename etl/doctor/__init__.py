"""What a run will need of this machine and of its servers, asked before it begins; nothing is changed."""
