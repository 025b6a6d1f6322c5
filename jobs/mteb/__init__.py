"""MTEB's scores: others' results joined to the encoders, and its tasks run where a result lacks."""
