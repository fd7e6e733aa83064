"""The dialogue scorer: every utterance encoded once, all pairs of the dialogue scored."""
