"""Conversations of a user: read from any of the usual formats, and what a model predicts for them."""
