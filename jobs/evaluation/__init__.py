"""MTEB's tasks run for the encoders that have no result."""
