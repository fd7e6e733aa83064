"""Merging labels with their sources: where each chunk lies, what its utterances are, what disagrees."""
