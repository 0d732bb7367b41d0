"""Files as a source, wherever Spark can read them."""
