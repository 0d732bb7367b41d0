"""The routes under /api: thin, typed, in the order of the page."""
