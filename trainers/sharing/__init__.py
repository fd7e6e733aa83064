"""Models, metrics and the page on the Hugging Face Hub: what may leave the machine, one commit, and back again."""
