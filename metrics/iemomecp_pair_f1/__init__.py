"""The `evaluate` module `iemomecp_pair_f1`."""
