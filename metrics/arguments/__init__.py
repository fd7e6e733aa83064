"""What calls of scores are given: arguments checked one by one, and batches of the `evaluate` modules."""
