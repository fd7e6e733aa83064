"""Baselines that need no training, and the utterance tables they use."""
