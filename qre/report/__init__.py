"""What a person reads of a map and of its predictions: report.md."""

from qre.report.page import report_page

__all__ = ["report_page"]
