"""Spark: its session, its JVM as a process, and what its errors mean."""
