"""conf/tables/*.yaml: what is known of a table without a server."""
