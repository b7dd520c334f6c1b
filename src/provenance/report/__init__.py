"""Report: what a person should know of a scan, on one page."""

from __future__ import annotations

from provenance.report.figures import Report, figures
from provenance.report.page import page

__all__ = ["Report", "figures", "page"]
