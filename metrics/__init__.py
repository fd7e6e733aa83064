"""Scores for emotion-cause pairs."""
