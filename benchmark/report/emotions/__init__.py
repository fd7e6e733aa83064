"""The part of the report on emotion recognition."""
