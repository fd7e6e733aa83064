"""What language models are asked, as data; read by :mod:`iemomecp_dataset.trainers.language_model.prompts`."""
