"""Finished runs: their records, their logs, and runs made of other systems' predictions."""
