"""Plots of predictions, into matplotlib axes: each a function of arrays, and what the report draws with."""
