"""Where records come from: files, a query, standard input. Each hands out batches of raw JSON and can repeat one.

base.py says what a source and a format are, factory.py makes a job's; files.py, streams.py and spool.py are the
sources; ndjson.py, json_array.py, csv.py and parquet.py the formats.
"""
