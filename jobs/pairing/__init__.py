"""`qre pairs`: all pairs of a sweep's encoders, in tiles, and the map that follows from them."""
