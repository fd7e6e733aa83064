"""Training loop and its parts, independent of any particular scorer."""
