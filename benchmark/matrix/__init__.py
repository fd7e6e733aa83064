"""A matrix of training runs: which cells there are, which are to be run, and running them here or on a cluster."""
