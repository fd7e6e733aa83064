"""From a file of predictions to scores: reading, aligning with the gold, scoring, reporting."""
