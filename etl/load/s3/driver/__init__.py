"""Small tables of the lake, written by the driver: one Spark job brings the rows, Arrow compares and writes them.

What Spark spends on planning, compiling and scheduling one Delta commit is many times what a table of some thousand
rows needs. Layout, names, codec, statistics, transactions and validation are those of Spark's lane, and a table may
pass from one to the other from run to run; what is not equal here goes to Spark (lane.py).
"""
