"""From a conversation to its emotions and pairs: what a user gets from a trained model in one call."""
