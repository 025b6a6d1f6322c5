"""Encoders: what a spec says, and how its embedding is made."""
