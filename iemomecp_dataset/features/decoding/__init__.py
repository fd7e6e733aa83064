"""From media files to samples and frames."""
