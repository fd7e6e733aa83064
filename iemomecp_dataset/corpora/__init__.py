"""Readers of the other emotion-cause corpora, from the files that their authors publish."""
