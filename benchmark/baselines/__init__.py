"""Baselines that need no training, and the tables of utterances that they use."""
