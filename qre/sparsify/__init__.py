"""Sparsified encoders: the parameters that contribute least to alignment and uniformity are set to zero."""
