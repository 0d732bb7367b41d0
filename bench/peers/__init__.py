"""Other tools that bring files into PostgreSQL: their environment, their commands, and scripts for those without one.

The scripts run under the peers' Python, which has none of the product's packages: they import nothing of ours.
"""
