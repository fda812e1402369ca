"""A run as one HTML file, which opens without a network."""

from __future__ import annotations

from qjax.report.page import write_report
from qjax.report.reading import RunReport, read_report

__all__ = ["RunReport", "read_report", "write_report"]
