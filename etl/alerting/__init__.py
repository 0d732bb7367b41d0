"""`etl alert`: what the main job and the staging loader told, whether channels work, and what is overdue."""
