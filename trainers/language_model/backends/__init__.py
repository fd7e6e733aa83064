"""Where requests are answered: an endpoint of OpenAI's kind, or a model in this process."""
