"""The method: sentence embeddings as density operators, compared by quantum relative entropy.

Nothing in this package knows of Ray; `jobs` runs it on a cluster.
"""

__version__ = "0.1.0"
