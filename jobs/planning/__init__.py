"""What a sweep has to do, and what it will cost: from the config and the store."""
