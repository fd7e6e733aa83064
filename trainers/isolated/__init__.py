"""The published baseline: one candidate pair at a time, with nothing of its dialogue."""
