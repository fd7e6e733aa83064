"""Judges decisions by predictions for dialogues that no run was trained on: variants x seeds x folds, joined."""
