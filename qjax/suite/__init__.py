"""Suites: datasets x models x methods x seeds, trained, recorded and compared."""

from qjax.suite.report import Report, Row, make_report
from qjax.suite.run import CellResult, run_suite
from qjax.suite.statistics import Interval, mean_interval
from qjax.suite.suite import Cell, Latency, Suite, SuiteError, read_suite

__all__ = [
    "Cell",
    "CellResult",
    "Interval",
    "Latency",
    "Report",
    "Row",
    "Suite",
    "SuiteError",
    "make_report",
    "mean_interval",
    "read_suite",
    "run_suite",
]
