"""Renders the report: one self-contained HTML page about a folder of runs."""

from iemomecp_dataset.benchmark.report.page import render_report, write_report
from iemomecp_dataset.benchmark.report.section import Texts

__all__ = ["Texts", "render_report", "write_report"]
