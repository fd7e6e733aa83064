"""Structural baselines, results and the report."""
