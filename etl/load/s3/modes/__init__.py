"""The lake's write modes."""
