"""Runs of pair scorers: their kind of run, and the configuration that every scorer shares."""
