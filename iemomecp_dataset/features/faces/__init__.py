"""Faces in clips: their table, its importers, and the DDAMFN network that classifies aligned crops."""
