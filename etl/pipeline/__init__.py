"""The main job. `table.py` joins the rooms for one table: read it first. `run.py` is a whole run."""
