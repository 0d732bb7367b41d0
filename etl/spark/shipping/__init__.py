"""What executors on other machines get of us: our code, and the packages it runs on. Spark is on them already."""
