"""Intervals and paired tests over dialogues."""
