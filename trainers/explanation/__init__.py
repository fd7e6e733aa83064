"""Written explanations of emotions: a language model that reads the dialogue, and optionally frames and faces."""
