"""Runs a matrix of trainings: lists its cells, plans which to run, and runs them on this machine or a cluster."""
