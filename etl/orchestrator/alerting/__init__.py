"""Telling people of runs: rules and outbox in the database, couriers to the channels."""
