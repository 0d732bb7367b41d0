"""`make demo`: the page with everything behind it, in a folder of its own, gone when it ends."""
