"""Evaluation of files of written explanations: reading, references, scores and paired tests."""
