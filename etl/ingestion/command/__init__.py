"""The command line of the uploader, from texts to exit codes."""
