"""The main job. `tables/table.py` joins the rooms for one table: read it first. `run.py` is a whole run."""
