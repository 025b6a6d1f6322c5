"""The geometry of one embedding: isotropy, ranks, uniformity, alignment, hubness."""

from qre.geometry.panel import Measures, measures

__all__ = ["Measures", "measures"]
