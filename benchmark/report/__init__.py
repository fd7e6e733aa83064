"""The report: one self-contained HTML page on a folder of runs."""

from iemomecp_dataset.benchmark.report.page import Texts, render_report, write_report

__all__ = ["Texts", "render_report", "write_report"]
