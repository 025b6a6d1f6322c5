"""What a sweep keeps beside its results: whose a map is, who is running, what was spent, the copy of a finished map."""
