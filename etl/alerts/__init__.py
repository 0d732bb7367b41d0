"""Telling people: channels by name, each a URL of apprise. Whatever a tool has to tell, it tells here."""
