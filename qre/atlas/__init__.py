"""The atlas: what people look at."""
