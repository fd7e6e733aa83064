"""Scores of written explanations as plain functions of texts: tokens, n-gram scores, model-based scores, signature."""
