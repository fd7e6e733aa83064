"""Several runs as one system: the mean of their probabilities, or of their weights."""
