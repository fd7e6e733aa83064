"""Runs of what peers leave: a reader per peer, every candidate decided once, the run folder."""
