"""Evaluation of files of emotions: reading, gold, scores and paired tests."""
