"""Every picture: of the map, of new encoders on it, and of the predictions. PNG and SVG, the same bytes for the same
tables."""
