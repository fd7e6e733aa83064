"""Frames of clips as tokens of a vision tower: pooling, the store, and the command that fills it."""
