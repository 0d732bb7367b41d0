"""What the main job's runs did, looked back on: the last ones, the slowest tables, what is different between two."""
