"""Merges labels with their sources: places chunks, joins utterances, and reports disagreements."""
