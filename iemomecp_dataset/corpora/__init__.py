"""Other emotion-cause corpora, read from the files their authors publish."""
