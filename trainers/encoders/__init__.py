"""Inputs of a scorer: text encoders with their tokens and pooled layers, and feature vectors of audio and video."""
