"""Fills the 79 tables of the operational source with a media company's data: repeatable, realistic, fast."""
